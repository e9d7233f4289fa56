//! What there is: ClickUp's accounts and their tokens, Secrets, connections, labels of namespaces. Plain values; what is
//! done to the real ones is done here too, so that the model can say what must follow.

mod change;
mod shapes;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::model::Expected;

pub use change::{Change, Edit, Fill};
pub use shapes::secret_of;

/// A namespace's label that owners share by.
pub const LABEL: &str = "chaos";

/// A Secret or a connection: the number of its namespace, and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Of `chaos-N`.
    pub namespace: usize,
    /// The object's name.
    pub name: String,
}

/// A user of ClickUp with a workspace and a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// How often the token was regenerated.
    pub version: u32,
    /// Whether ClickUp accepts that version.
    pub live: bool,
    /// A mere member of the workspace, not its owner.
    pub member: bool,
    /// Requests a minute.
    pub limit: u64,
}

/// What is in a Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A token as ClickUp issued it.
    Token {
        /// Whose.
        account: usize,
        /// Which of those that the account had.
        version: u32,
        /// With a megabyte of something else beside it.
        large: bool,
    },
    /// Something that yields no living token.
    Broken(Broken),
}

/// The ways in which a Secret yields no token, or a dead one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// White space.
    Empty,
    /// Another key.
    NoKey,
    /// Bytes that are no text.
    Binary,
    /// A megabyte of text.
    Huge,
    /// A password.
    Password,
    /// A token that ClickUp never issued.
    Unknown,
}

impl Broken {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Empty, Self::NoKey, Self::Binary, Self::Huge, Self::Password, Self::Unknown];
}

/// Where a connection's token comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A Secret of its namespace.
    Secret(String),
    /// Another connection.
    Owner(Key),
}

/// With whom a connection is shared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody.
    #[default]
    Private,
    /// Everybody.
    Cluster,
    /// Namespaces with the label.
    Selected,
    /// The namespace with this number.
    Listed(usize),
}

/// A node of the account's workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// The space, by its id.
    Space,
    /// The space, by its name.
    SpaceNamed,
    /// A folder.
    Folder,
    /// A list.
    List,
    /// A task.
    Task,
}

/// What a connection asks for beside the token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// A channel, and whether there is such a one.
    pub channel: Option<bool>,
    /// Nodes that are there.
    pub access: BTreeSet<Node>,
    /// A list that is not there.
    pub missing_list: bool,
    /// A role: `true` is one that every member has, `false` one that only admins have.
    pub role: Option<bool>,
    /// A required workspace: the second one of the user's, or one that is not there.
    pub required: Option<bool>,
}

/// A connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// Where its token comes from; by default a Secret without a name.
    pub source: Source,
    /// What else it asks for.
    pub asks: Asks,
    /// The account whose nodes it names, where it asks for nodes by their ids.
    pub of: usize,
    /// With whom it is shared.
    pub sharing: Sharing,
    /// Stops checking.
    pub suspended: bool,
    /// The status that stands while it, or its owner, is suspended.
    pub frozen: Option<Expected>,
    /// Loses Ready at once when ClickUp cannot be asked.
    pub graceless: bool,
    /// Checked every minute, not every ten.
    pub hasty: bool,
    /// Edits that change nothing that is checked.
    pub revision: u32,
    /// How often a check was asked for.
    pub asked: u32,
}

impl Default for Source {
    fn default() -> Self {
        Self::Secret(String::new())
    }
}

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct World {
    /// By number.
    pub accounts: Vec<Account>,
    /// Whether each namespace has the label.
    pub namespaces: Vec<bool>,
    /// The Secrets that are there.
    pub secrets: BTreeMap<Key, Content>,
    /// The connections that are there.
    pub connections: BTreeMap<Key, Connection>,
    /// For names that no object had before.
    pub born: usize,
}

/// What a connection gets as its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// The owner does not share, or is not there.
    Unshared,
    /// The Secret yields none, for this reason.
    None(&'static str),
    /// One that ClickUp does not accept.
    Dead,
    /// The living token of this account.
    Live(usize),
}

impl Key {
    /// In `chaos-N`.
    pub fn new(namespace: usize, name: impl Into<String>) -> Self {
        Self { namespace, name: name.into() }
    }

    /// The namespace's name.
    pub fn namespace_name(&self) -> String {
        namespace_name(self.namespace)
    }
}

/// The name of a namespace.
pub fn namespace_name(number: usize) -> String {
    format!("chaos-{number}")
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "chaos-{}/{}", self.namespace, self.name)
    }
}

impl World {
    /// The Secret that a connection's token is in, its own or its owner's; none where it is not shared.
    pub fn secret_of(&self, key: &Key) -> Option<Key> {
        let connection = self.connections.get(key)?;
        match &connection.source {
            Source::Secret(name) => Some(Key::new(key.namespace, name)),
            Source::Owner(owner) => {
                let lender = self.connections.get(owner)?;
                let shared = match lender.sharing {
                    _ if owner.namespace == key.namespace => true,
                    Sharing::Private => false,
                    Sharing::Cluster => true,
                    Sharing::Selected => self.namespaces.get(key.namespace).copied().unwrap_or_default(),
                    Sharing::Listed(namespace) => namespace == key.namespace,
                };
                match &lender.source {
                    Source::Secret(name) if shared => Some(Key::new(owner.namespace, name)),
                    _ => None,
                }
            }
        }
    }

    /// What a connection gets as its token.
    pub fn token_of(&self, key: &Key) -> Token {
        let Some(secret) = self.secret_of(key) else { return Token::Unshared };
        match self.secrets.get(&secret) {
            None => Token::None("SecretNotFound"),
            Some(Content::Broken(broken)) => match broken {
                Broken::Empty => Token::None("TokenEmpty"),
                Broken::NoKey => Token::None("SecretKeyNotFound"),
                Broken::Binary | Broken::Huge => Token::None("TokenMalformed"),
                Broken::Password => Token::None("TokenTypeMismatch"),
                Broken::Unknown => Token::Dead,
            },
            Some(Content::Token { account, version, .. }) => match self.accounts.get(*account) {
                Some(one) if one.live && one.version == *version => Token::Live(*account),
                _ => Token::Dead,
            },
        }
    }

    /// Whether a connection has a Secret of its own.
    pub fn is_owner(&self, key: &Key) -> bool {
        self.connections.get(key).is_some_and(|c| matches!(c.source, Source::Secret(_)))
    }

    /// Whether nothing is checked, because of its own `suspend` or its owner's.
    pub fn is_suspended(&self, key: &Key) -> bool {
        let Some(connection) = self.connections.get(key) else { return false };
        let owner = match &connection.source {
            Source::Owner(owner) => self.connections.get(owner),
            Source::Secret(_) => None,
        };
        connection.suspended || owner.is_some_and(|owner| owner.suspended)
    }

    /// The connections that use another's token.
    pub fn referrers(&self, owner: &Key) -> impl Iterator<Item = &Key> {
        self.connections
            .iter()
            .filter(move |(_, c)| matches!(&c.source, Source::Owner(o) if o == owner))
            .map(|(key, _)| key)
    }

    /// The connections whose token is in this Secret.
    pub fn holders_of(&self, secret: &Key) -> BTreeSet<Key> {
        self.connections.keys().filter(|key| self.secret_of(key).as_ref() == Some(secret)).cloned().collect()
    }

    /// The Secrets that hold some token of this account.
    pub fn secrets_with(&self, account: usize) -> impl Iterator<Item = &Key> {
        let is_it =
            move |content: &Content| matches!(content, Content::Token { account: a, .. } if *a == account);
        self.secrets.iter().filter(move |(_, content)| is_it(content)).map(|(key, _)| key)
    }

    /// The connections whose Secret holds some token of this account.
    pub fn users_of(&self, account: usize) -> BTreeSet<Key> {
        let secrets: BTreeSet<_> = self.secrets_with(account).cloned().collect();
        let uses = |key: &&Key| self.secret_of(key).is_some_and(|secret| secrets.contains(&secret));
        self.connections.keys().filter(uses).cloned().collect()
    }
}

/// The id of an account's user.
pub fn user_id(account: usize) -> u64 {
    10_000_000 + account as u64
}

/// The ids of an account's two workspaces.
pub fn workspace_ids(account: usize) -> [u64; 2] {
    [9_010_000_000, 9_020_000_000].map(|first| first + account as u64)
}

/// The id of a node of an account's workspace.
pub fn node_id(account: usize, node: Node) -> String {
    let kind = match node {
        Node::Space | Node::SpaceNamed => 1,
        Node::Folder => 2,
        Node::List => 3,
        Node::Task => return format!("task{account}"),
    };
    (90_000_000_000 + kind * 1_000_000 + account as u64).to_string()
}

/// What the simulator calls an account's token.
pub fn token_name(account: usize) -> String {
    format!("token-{account}")
}

#[cfg(test)]
pub(crate) mod tests;
