//! The users, workspaces and tokens of the simulated ClickUp, and who may see what.

mod channels;
mod claims;
mod edit;
mod load;
mod nodes;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use self::channels::Channel;
pub(crate) use self::nodes::{Folder, List, Task};
use crate::credentials::Credentials;
use crate::messages::{NO_TOKEN, PlaceChange, UNKNOWN};
use crate::state::{Id, Kind, LastCursor, Member, Plan, Refusal, Scope};
use crate::window::{Millis, Standing, Window};

/// Everything that ClickUp would keep in its database.
#[derive(Default)]
pub(crate) struct World {
    limit: u64,
    window_seconds: u64,
    users: HashMap<u64, Person>,
    workspaces: HashMap<u64, Workspace>,
    /// The workspace of each space.
    spaces: HashMap<u64, u64>,
    nodes: nodes::Nodes,
    /// The workspace of each channel.
    channels: HashMap<String, u64>,
    /// Serial of the last channel that was added.
    last_channel: u64,
    tokens: HashMap<Arc<str>, Token>,
    /// Every value that any token ever had, with the token's name.
    values: HashMap<String, Arc<str>>,
    /// How many ids and names were made up so far.
    made_up: u64,
}

/// A user.
pub(crate) struct Person {
    pub(crate) id: u64,
    /// Null for one who never logged in.
    pub(crate) name: Option<String>,
    pub(crate) email: String,
    pub(crate) timezone: Option<String>,
    workspaces: Vec<u64>,
    personal_token: Option<Arc<str>>,
}

/// A workspace.
pub(crate) struct Workspace {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) plan: Plan,
    pub(crate) members: Vec<Member>,
    pub(crate) extra_members: u64,
    pub(crate) spaces: Vec<Space>,
    pub(crate) channels: Vec<Channel>,
    pub(crate) without_chat: bool,
    pub(crate) last_cursor: LastCursor,
}

/// A space.
pub(crate) struct Space {
    pub(crate) id: Id,
    pub(crate) place: Place,
}

/// What spaces and channels have in common.
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) private: bool,
    pub(crate) members: Vec<u64>,
    pub(crate) archived: bool,
}

/// A token, live or not.
pub(crate) struct Token {
    pub(crate) name: Arc<str>,
    pub(crate) user: u64,
    pub(crate) kind: Kind,
    pub(crate) value: String,
    pub(crate) live: bool,
    generation: u64,
    window: Window,
    refused_by: Vec<Refusal>,
}

/// Why the world is not as somebody wants it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum WorldError {
    /// A reference to nothing.
    #[error("there is no {0} {1}: add it first, or correct the reference")]
    Missing(&'static str, String),
    /// An id or name is there already.
    #[error("there is a {0} {1} already: choose another, or leave it out to get a free one")]
    Taken(&'static str, String),
    /// A user has one personal token at most, as in ClickUp.
    #[error("user {0} has the personal token {1} already: regenerate that one, or add one of kind oauth")]
    SecondPersonalToken(u64, Arc<str>),
    /// A value that cannot be of its kind.
    #[error(
        "the value of token {0} does not suit its kind: a personal token starts with pk_, an OAuth one must not"
    )]
    WrongKind(Arc<str>),
    /// A name that would not do in a path or in the log.
    #[error(
        "{0:?} is no name for a token: use up to 64 of A-Z a-z 0-9 . _ -, but not `unknown` or `none`, which the log uses"
    )]
    BadName(String),
    /// Something that no answer could be made from.
    #[error("{0}")]
    Bad(String),
}

/// Who sent a request.
pub(crate) struct Caller {
    /// Name of the token, `unknown` or `none`.
    pub(crate) name: Arc<str>,
    pub(crate) access: Access,
    pub(crate) standing: Standing,
}

/// Whether the Authorization header opens the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Granted,
    /// No or empty header.
    Missing,
    /// It looked like a personal token and is no live one.
    DeadPersonal,
    /// Anything else that is no live OAuth token, rightly sent.
    DeadOauth,
}

impl World {
    /// Recognises a token and counts the request.
    pub(crate) fn admit(&mut self, credentials: &Credentials, now: Millis) -> Caller {
        let limit = self.limit;
        let known = self.values.get(&credentials.value).and_then(|name| self.tokens.get_mut(name));
        let Some(token) = known else {
            // Nobody shares a limit with strangers: tests with made-up tokens run side by side.
            let standing = Window::new(limit, self.window_seconds).take(now);
            let (name, access) = match credentials.value.as_str() {
                "" => (NO_TOKEN, Access::Missing),
                _ => (UNKNOWN, credentials.refused()),
            };
            return Caller { name: name.into(), access, standing };
        };
        let current = token.live && token.value == credentials.value && credentials.suits(token.kind);
        let access = if current { Access::Granted } else { credentials.refused() };
        Caller { name: Arc::clone(&token.name), access, standing: token.window.take(now) }
    }

    pub(crate) fn token(&self, name: &str) -> Option<&Token> {
        self.tokens.get(name)
    }

    pub(crate) fn user(&self, id: u64) -> Option<&Person> {
        self.users.get(&id)
    }

    pub(crate) fn person_of(&self, token: &str) -> Option<&Person> {
        self.user(self.tokens.get(token)?.user)
    }

    /// The workspaces of a user, in the order in which the user came to them.
    pub(crate) fn workspaces_of(&self, person: &Person) -> impl Iterator<Item = &Workspace> {
        person.workspaces.iter().filter_map(|id| self.workspaces.get(id))
    }

    /// A workspace, if the user belongs to it.
    pub(crate) fn workspace_for(&self, person: &Person, id: u64) -> Option<&Workspace> {
        person.workspaces.contains(&id).then(|| self.workspaces.get(&id)).flatten()
    }

    pub(crate) fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.tokens.values()
    }

    /// Where a token stands, without counting anything.
    pub(crate) fn standing(&mut self, token: &str, now: Millis) -> Option<Standing> {
        self.tokens.get_mut(token).map(|token| token.window.look(now))
    }
}

impl Workspace {
    /// Whether a member sees this space or channel.
    pub(crate) fn shows(&self, place: &Place, user: u64) -> bool {
        let guest = self.members.iter().any(|member| member.user == user && member.is_guest());
        place.members.contains(&user) || !(guest || place.private)
    }
}

impl Place {
    fn change(&mut self, change: PlaceChange) {
        let PlaceChange { name, private, members, archived } = change;
        self.name = name.unwrap_or_else(|| std::mem::take(&mut self.name));
        self.private = private.unwrap_or(self.private);
        self.members = members.unwrap_or_else(|| std::mem::take(&mut self.members));
        self.archived = archived.unwrap_or(self.archived);
    }
}

impl Token {
    /// How this workspace refuses the token all or only its chat, if it does.
    pub(crate) fn refusal(&self, workspace: Id, scope: Scope) -> Option<&Refusal> {
        self.refused_by.iter().find(|refusal| refusal.workspace == workspace && refusal.scope == scope)
    }
}

impl Credentials {
    fn refused(&self) -> Access {
        match self.sent {
            crate::credentials::Sent::Raw if self.value.starts_with("pk_") => Access::DeadPersonal,
            _ => Access::DeadOauth,
        }
    }
}
