//! What changes while the simulator runs.

use std::sync::Arc;

use super::channels::last_cursor_of;
use super::claims::Claims;
use super::{Person, Token, Workspace, World, WorldError};
use crate::credentials::value_of;
use crate::messages::{NO_TOKEN, TokenChange, TokenValue, UNKNOWN, WorkspaceChange};
use crate::state::{self, Id, Kind, Member, Refusal};
use crate::window::{Millis, Window};

// Ranges as ClickUp's are today: users 8 digits, workspaces more than 32 bits.
const FIRST_USER: u64 = 58_000_000;
const FIRST_WORKSPACE: u64 = 9_100_000_000;

impl World {
    pub(crate) fn add_user(&mut self, user: state::User) -> Result<u64, WorldError> {
        let id = match user.id {
            Some(id) if self.users.contains_key(&id) => {
                return Err(WorldError::Taken("user", id.to_string()));
            }
            Some(id) => id,
            None => self.free_id(FIRST_USER, |world, id| world.users.contains_key(&id)),
        };
        let name = user.name.unwrap_or_else(|| format!("User {id}"));
        let person = Person {
            id,
            name: (!user.pending).then_some(name),
            email: user.email.unwrap_or_else(|| format!("user-{id}@example.com")),
            timezone: user.timezone,
            workspaces: Vec::new(),
            personal_token: None,
        };
        self.users.insert(id, person);
        Ok(id)
    }

    pub(crate) fn add_workspace(&mut self, workspace: state::Workspace) -> Result<Id, WorldError> {
        let state::Workspace {
            id,
            name,
            plan,
            members,
            extra_members,
            spaces,
            channels,
            without_chat,
            last_cursor,
        } = workspace;
        for (index, member) in members.iter().enumerate() {
            self.check_member(member)?;
            if members.iter().take(index).any(|other| other.user == member.user) {
                return Err(WorldError::Taken("member", member.user.to_string()));
            }
        }
        let mut claims = Claims::new(self, None);
        spaces.iter().try_for_each(|space| claims.space(space))?;
        channels.iter().try_for_each(|channel| claims.channel(channel))?;
        let id = match id {
            Some(id) if self.workspaces.contains_key(&id.0) => {
                return Err(WorldError::Taken("workspace", id.to_string()));
            }
            Some(id) => id,
            None => Id(self.free_id(FIRST_WORKSPACE, |world, id| world.workspaces.contains_key(&id))),
        };
        for member in &members {
            self.enter(member.user, id);
        }
        let new = Workspace {
            id,
            name,
            plan,
            members,
            extra_members,
            spaces: Vec::new(),
            channels: Vec::new(),
            without_chat,
            last_cursor: last_cursor.unwrap_or_else(|| last_cursor_of(id)),
        };
        self.workspaces.insert(id.0, new);
        spaces.into_iter().try_for_each(|space| self.add_space(id, space).map(|_| ()))?;
        channels.into_iter().try_for_each(|channel| self.add_channel(id, channel).map(|_| ()))?;
        Ok(id)
    }

    pub(crate) fn change_workspace(&mut self, id: Id, change: WorkspaceChange) -> Result<(), WorldError> {
        let WorkspaceChange { name, plan, extra_members, without_chat, last_cursor } = change;
        let workspace = self.workspace_mut(id)?;
        if let Some(name) = name {
            workspace.name = name;
        }
        if let Some(plan) = plan {
            workspace.plan = plan;
        }
        if let Some(extra_members) = extra_members {
            workspace.extra_members = extra_members;
        }
        if let Some(without_chat) = without_chat {
            workspace.without_chat = without_chat;
        }
        if let Some(last_cursor) = last_cursor {
            workspace.last_cursor = last_cursor;
        }
        Ok(())
    }

    pub(crate) fn remove_workspace(&mut self, id: Id) -> Result<(), WorldError> {
        self.workspace_mut(id)?;
        let spaces = self.workspaces.remove(&id.0).map(|workspace| workspace.spaces);
        spaces.iter().flatten().for_each(|space| self.forget_space(space.id));
        self.channels.retain(|_, workspace| *workspace != id.0);
        self.users.values_mut().for_each(|person| person.workspaces.retain(|other| *other != id.0));
        Ok(())
    }

    /// Adds a member, or changes what the member may do.
    pub(crate) fn put_member(&mut self, id: Id, member: Member) -> Result<(), WorldError> {
        self.check_member(&member)?;
        let user = member.user;
        let members = &mut self.workspace_mut(id)?.members;
        match members.iter_mut().find(|other| other.user == user) {
            Some(other) => *other = member,
            None => members.push(member),
        }
        self.enter(user, id);
        Ok(())
    }

    pub(crate) fn remove_member(&mut self, id: Id, user: u64) -> Result<(), WorldError> {
        let members = &mut self.workspace_mut(id)?.members;
        let before = members.len();
        members.retain(|member| member.user != user);
        if members.len() == before {
            return Err(WorldError::Missing("member", user.to_string()));
        }
        if let Some(person) = self.users.get_mut(&user) {
            person.workspaces.retain(|other| *other != id.0);
        }
        Ok(())
    }

    pub(crate) fn add_token(&mut self, token: state::Token) -> Result<TokenValue, WorldError> {
        let state::Token { name, user, kind, value, limit, window_seconds, refused_by } = token;
        let person = self.users.get(&user).ok_or_else(|| WorldError::Missing("user", user.to_string()))?;
        if let (Kind::Personal, Some(other)) = (kind, &person.personal_token) {
            return Err(WorldError::SecondPersonalToken(user, Arc::clone(other)));
        }
        refused_by.iter().try_for_each(|refusal| self.check_refusal(refusal))?;
        let name: Arc<str> = match name {
            Some(name) => checked_name(name)?.into(),
            None => self.free_name(user),
        };
        if self.tokens.contains_key(&name) {
            return Err(WorldError::Taken("token", name.to_string()));
        }
        let value = value.unwrap_or_else(|| value_of(kind, user, &name, 0));
        if value.starts_with("pk_") != (kind == Kind::Personal) {
            return Err(WorldError::WrongKind(name));
        }
        if self.values.contains_key(&value) {
            return Err(WorldError::Taken("token", "with this value".to_owned()));
        }
        let window = Window::new(
            limit.unwrap_or(self.limit),
            checked_window(window_seconds.unwrap_or(self.window_seconds))?,
        );
        let added = TokenValue { name: name.to_string(), value: value.clone(), user, kind };
        self.values.insert(value.clone(), Arc::clone(&name));
        if let (Kind::Personal, Some(person)) = (kind, self.users.get_mut(&user)) {
            person.personal_token = Some(Arc::clone(&name));
        }
        let token = Token {
            name: Arc::clone(&name),
            user,
            kind,
            value,
            live: true,
            generation: 0,
            window,
            refused_by,
        };
        self.tokens.insert(name, token);
        Ok(added)
    }

    pub(crate) fn change_token(
        &mut self,
        name: &str,
        change: TokenChange,
        now: Millis,
    ) -> Result<(), WorldError> {
        let TokenChange { limit, window_seconds, spend } = change;
        let window_seconds = window_seconds.map(checked_window).transpose()?;
        let window = &mut self.token_mut(name)?.window;
        if let Some(limit) = limit {
            window.limit = limit;
        }
        if let Some(seconds) = window_seconds {
            window.seconds = seconds;
            window.restart();
        }
        if let Some(requests) = spend {
            window.spend(requests, now);
        }
        Ok(())
    }

    /// Kills the value of a token.
    pub(crate) fn revoke(&mut self, name: &str) -> Result<(), WorldError> {
        self.token_mut(name)?.live = false;
        Ok(())
    }

    /// Kills the value of a token and gives it a new one.
    pub(crate) fn regenerate(&mut self, name: &str) -> Result<TokenValue, WorldError> {
        let token = self.token_mut(name)?;
        token.generation += 1;
        token.live = true;
        token.value = value_of(token.kind, token.user, name, token.generation);
        let Token { name, value, user, kind, .. } = &*token;
        let new = TokenValue { name: name.to_string(), value: value.clone(), user: *user, kind: *kind };
        let name = Arc::clone(name);
        self.values.insert(new.value.clone(), name);
        Ok(new)
    }

    pub(crate) fn put_refusal(&mut self, name: &str, refusal: Refusal) -> Result<(), WorldError> {
        self.check_refusal(&refusal)?;
        let refused_by = &mut self.token_mut(name)?.refused_by;
        refused_by.retain(|other| (other.workspace, other.scope) != (refusal.workspace, refusal.scope));
        refused_by.push(refusal);
        Ok(())
    }

    pub(crate) fn remove_refusal(&mut self, name: &str, workspace: Id) -> Result<(), WorldError> {
        self.token_mut(name)?.refused_by.retain(|other| other.workspace != workspace);
        Ok(())
    }

    pub(super) fn workspace_mut(&mut self, id: Id) -> Result<&mut Workspace, WorldError> {
        self.workspaces.get_mut(&id.0).ok_or_else(|| WorldError::Missing("workspace", id.to_string()))
    }

    fn token_mut(&mut self, name: &str) -> Result<&mut Token, WorldError> {
        self.tokens.get_mut(name).ok_or_else(|| WorldError::Missing("token", name.to_owned()))
    }

    fn enter(&mut self, user: u64, workspace: Id) {
        if let Some(person) = self.users.get_mut(&user)
            && !person.workspaces.contains(&workspace.0)
        {
            person.workspaces.push(workspace.0);
        }
    }

    fn check_user(&self, id: u64) -> Result<(), WorldError> {
        match self.users.contains_key(&id) {
            true => Ok(()),
            false => Err(WorldError::Missing("user", id.to_string())),
        }
    }

    pub(super) fn check_users(&self, ids: &[u64]) -> Result<(), WorldError> {
        ids.iter().try_for_each(|id| self.check_user(*id))
    }

    fn check_member(&self, member: &Member) -> Result<(), WorldError> {
        self.check_user(member.user)?;
        member.invited_by.map_or(Ok(()), |user| self.check_user(user))
    }

    fn check_refusal(&self, refusal: &Refusal) -> Result<(), WorldError> {
        if !self.workspaces.contains_key(&refusal.workspace.0) {
            return Err(WorldError::Missing("workspace", refusal.workspace.to_string()));
        }
        match refusal.status {
            400..=599 => Ok(()),
            status => Err(WorldError::Bad(format!("{status} is no status of a refusal: use 401 or 403"))),
        }
    }

    pub(super) fn free_id(&mut self, first: u64, taken: impl Fn(&Self, u64) -> bool) -> u64 {
        loop {
            self.made_up += 1;
            let id = first + self.made_up;
            if !taken(self, id) {
                return id;
            }
        }
    }

    fn free_name(&mut self, user: u64) -> Arc<str> {
        loop {
            self.made_up += 1;
            let name: Arc<str> = format!("token-{user}-{}", self.made_up).into();
            if !self.tokens.contains_key(&name) {
                return name;
            }
        }
    }
}

fn checked_name(name: String) -> Result<String, WorldError> {
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && name != UNKNOWN
        && name != NO_TOKEN;
    if fits { Ok(name) } else { Err(WorldError::BadName(name)) }
}

fn checked_window(seconds: u64) -> Result<u64, WorldError> {
    match seconds {
        1..=86_400 => Ok(seconds),
        _ => Err(WorldError::Bad(format!("a window of {seconds} seconds: use 1 to 86400"))),
    }
}
