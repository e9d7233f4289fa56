//! What can be done to the world, and whom it concerns.

use std::collections::BTreeSet;

use super::{Broken, Connection, Content, Key, Source, World};

/// What goes into a Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// The latest token of this account.
    Token(usize),
    /// The same, with a megabyte of something else in the Secret.
    Large(usize),
    /// Nothing that works.
    Broken(Broken),
}

/// An edit of a spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Of its description only.
    Description,
    /// Asks for a channel that is there, for one that is not, or for none.
    Channel(Option<bool>),
    /// Starts or stops to ask for a list that is not there.
    MissingList(bool),
    /// Asks for a role that every member has, for one that only admins have, or for none.
    Role(Option<bool>),
}

/// One thing that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Creates a Secret, or replaces what is in it.
    Put(Key, Fill),
    /// Deletes a Secret.
    Remove(Key),
    /// Swaps what is in two Secrets.
    Swap(Key, Key),
    /// Creates a connection.
    Create(Key, Box<Connection>),
    /// Deletes a connection.
    Delete(Key),
    /// Edits a connection's spec.
    Edit(Key, Edit),
    /// Suspends or resumes a connection.
    Suspend(Key, bool),
    /// Sets or removes a namespace's label.
    Label(usize, bool),
    /// ClickUp kills an account's token.
    Revoke(usize),
    /// ClickUp gives an account another token, and kills the one before.
    Regenerate(usize),
    /// Asks for a check by the annotation.
    Ask(Key),
}

impl World {
    /// Does it, and tells whom it may concern.
    pub fn apply(&mut self, change: &Change) -> BTreeSet<Key> {
        let mut concerned = self.concerned(change);
        match change {
            Change::Put(secret, fill) => {
                let token = |account: usize, large| {
                    let version = self.accounts.get(account).map_or(0, |a| a.version);
                    Content::Token { account, version, large }
                };
                let content = match fill {
                    Fill::Token(account) => token(*account, false),
                    Fill::Large(account) => token(*account, true),
                    Fill::Broken(broken) => Content::Broken(*broken),
                };
                self.secrets.insert(secret.clone(), content);
            }
            Change::Remove(secret) => drop(self.secrets.remove(secret)),
            Change::Swap(one, other) => {
                if let (Some(a), Some(b)) = (self.secrets.remove(one), self.secrets.remove(other)) {
                    self.secrets.insert(one.clone(), b);
                    self.secrets.insert(other.clone(), a);
                }
            }
            Change::Create(key, connection) => {
                self.born += 1;
                self.connections.insert(key.clone(), (**connection).clone());
                if self.is_suspended(key) {
                    self.freeze(key);
                }
            }
            Change::Delete(key) => drop(self.connections.remove(key)),
            Change::Edit(key, edit) => {
                if let Some(connection) = self.connections.get_mut(key) {
                    connection.edit(*edit);
                }
            }
            Change::Suspend(key, suspended) => self.suspend(key, *suspended),
            Change::Label(namespace, labelled) => {
                if let Some(label) = self.namespaces.get_mut(*namespace) {
                    *label = *labelled;
                }
            }
            Change::Revoke(account) => {
                if let Some(account) = self.accounts.get_mut(*account) {
                    account.live = false;
                }
            }
            Change::Regenerate(account) => {
                if let Some(account) = self.accounts.get_mut(*account) {
                    account.version += 1;
                    account.live = true;
                }
            }
            Change::Ask(key) => {
                if let Some(connection) = self.connections.get_mut(key) {
                    connection.asked += 1;
                }
            }
        }
        concerned.append(&mut self.concerned(change));
        concerned
    }

    fn suspend(&mut self, key: &Key, suspended: bool) {
        let mut all = vec![key.clone()];
        all.extend(self.referrers(key).cloned());
        if suspended {
            all.iter().for_each(|key| self.freeze(key));
        }
        if let Some(connection) = self.connections.get_mut(key) {
            connection.suspended = suspended;
        }
        for key in all {
            if !self.is_suspended(&key)
                && let Some(connection) = self.connections.get_mut(&key)
            {
                connection.frozen = None;
            }
        }
    }

    fn freeze(&mut self, key: &Key) {
        let stands = self.expected(key);
        if let Some(connection) = self.connections.get_mut(key) {
            connection.frozen = Some(stands);
        }
    }

    fn concerned(&self, change: &Change) -> BTreeSet<Key> {
        match change {
            Change::Put(secret, _) | Change::Remove(secret) => self.holders_of(secret),
            Change::Swap(one, other) => {
                let mut holders = self.holders_of(one);
                holders.append(&mut self.holders_of(other));
                holders
            }
            Change::Create(key, _) | Change::Delete(key) | Change::Edit(key, _) | Change::Suspend(key, _) => {
                self.referrers(key).chain([key]).cloned().collect()
            }
            Change::Label(namespace, _) => {
                let refers = |key: &&Key| {
                    let source = self.connections.get(*key).map(|c| &c.source);
                    key.namespace == *namespace && matches!(source, Some(Source::Owner(_)))
                };
                self.connections.keys().filter(refers).cloned().collect()
            }
            Change::Revoke(account) | Change::Regenerate(account) => self.users_of(*account),
            Change::Ask(key) => [key.clone()].into(),
        }
    }
}

impl Connection {
    fn edit(&mut self, edit: Edit) {
        match edit {
            Edit::Description => self.revision += 1,
            Edit::Channel(channel) => self.asks.channel = channel,
            Edit::MissingList(missing) => self.asks.missing_list = missing,
            Edit::Role(role) => self.asks.role = role,
        }
    }
}
