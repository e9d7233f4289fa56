//! Which connections use the token of which: who is to look again when the one that shares it changes.

use super::ConnectionRef;
use std::collections::{HashMap, HashSet};

/// The reverse index. Its cost per event is the number of connections that the event concerns.
#[derive(Debug, Default)]
pub(super) struct Referrers {
    /// By the connection that is referred to.
    owners: HashMap<ConnectionRef, Owner>,
    refers_to: HashMap<ConnectionRef, ConnectionRef>,
    by_namespace: HashMap<String, HashSet<ConnectionRef>>,
    /// Connections that select the namespaces which they share with.
    selecting: HashSet<ConnectionRef>,
}

#[derive(Debug, Default)]
struct Owner {
    referrers: HashSet<ConnectionRef>,
    /// Uid and generation that were seen last.
    seen: Option<(String, i64)>,
}

impl Referrers {
    /// Notes whom a connection refers to, if anybody.
    pub(super) fn refer(&mut self, connection: &ConnectionRef, to: Option<ConnectionRef>) {
        if self.refers_to.get(connection) == to.as_ref() {
            return;
        }
        if let Some(before) = self.refers_to.remove(connection) {
            if let Some(owner) = self.owners.get_mut(&before) {
                owner.referrers.remove(connection);
                if owner.referrers.is_empty() {
                    self.owners.remove(&before);
                }
            }
            let namespace = connection.namespace.as_deref().unwrap_or_default();
            if let Some(beside) = self.by_namespace.get_mut(namespace) {
                beside.remove(connection);
                if beside.is_empty() {
                    self.by_namespace.remove(namespace);
                }
            }
        }
        if let Some(to) = to {
            let namespace = connection.namespace.clone().unwrap_or_default();
            self.by_namespace.entry(namespace).or_default().insert(connection.clone());
            self.owners.entry(to.clone()).or_default().referrers.insert(connection.clone());
            self.refers_to.insert(connection.clone(), to);
        }
    }

    /// Notes whether a connection selects namespaces. Returns whether any does.
    pub(super) fn select(&mut self, connection: &ConnectionRef, selects: bool) -> bool {
        if selects {
            self.selecting.insert(connection.clone());
        } else {
            self.selecting.remove(connection);
        }
        !self.selecting.is_empty()
    }

    /// Takes in that a connection is as it is, or gone, and tells whom that concerns: nobody where it is no news.
    pub(super) fn changed(&mut self, owner: &ConnectionRef, seen: Option<(&str, i64)>) -> Vec<ConnectionRef> {
        let Some(owner) = self.owners.get_mut(owner) else { return Vec::new() };
        let seen = seen.map(|(uid, generation)| (uid.to_owned(), generation));
        // That it is gone is always news: of one that stood before the first reference to it nothing was noted.
        if seen.is_some() && owner.seen == seen {
            return Vec::new();
        }
        owner.seen = seen;
        owner.referrers.iter().cloned().collect()
    }

    /// Those who use the token of a connection.
    pub(super) fn of(&self, owner: &ConnectionRef) -> impl Iterator<Item = &ConnectionRef> {
        self.owners.get(owner).into_iter().flat_map(|owner| &owner.referrers)
    }

    /// Those in a namespace who use another's token.
    pub(super) fn within(&self, namespace: &str) -> impl Iterator<Item = &ConnectionRef> {
        self.by_namespace.get(namespace).into_iter().flatten()
    }

    /// All who use another's token.
    pub(super) fn all(&self) -> impl Iterator<Item = &ConnectionRef> {
        self.refers_to.keys()
    }

    /// Forgets the connections that are gone. Returns whether any of the others selects namespaces.
    pub(super) fn retain(&mut self, is_there: impl Fn(&ConnectionRef) -> bool) -> bool {
        let gone: Vec<_> = self.refers_to.keys().filter(|c| !is_there(c)).cloned().collect();
        for connection in gone {
            self.refer(&connection, None);
        }
        self.selecting.retain(is_there);
        !self.selecting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(namespace: &str, name: &str) -> ConnectionRef {
        ConnectionRef::new(name).within(namespace)
    }

    fn sorted(refs: impl IntoIterator<Item = ConnectionRef>) -> Vec<String> {
        let mut names: Vec<_> = refs.into_iter().map(|r| r.to_string()).collect();
        names.sort();
        names
    }

    #[test]
    fn changes_reach_who_refers_and_only_once() {
        let mut referrers = Referrers::default();
        let (owner, other) = (connection("o", "bot"), connection("o", "other"));
        let (a, b, c) = (connection("x", "a"), connection("x", "b"), connection("y", "c"));
        for (who, to) in [(&a, &owner), (&b, &owner), (&c, &other)] {
            referrers.refer(who, Some(to.clone()));
        }
        let both = sorted([a.clone(), b.clone()]);
        assert_eq!(sorted(referrers.changed(&owner, Some(("u", 1)))), both);
        assert_eq!(sorted(referrers.changed(&owner, Some(("u", 1)))), sorted([]));
        assert_eq!(sorted(referrers.changed(&owner, Some(("u", 2)))), both);
        assert_eq!(sorted(referrers.changed(&owner, None)), both);
        assert_eq!(sorted(referrers.changed(&connection("o", "nobody"), Some(("v", 1)))), sorted([]));
        assert_eq!(sorted(referrers.changed(&other, None)), sorted([c.clone()]), "gone before it was seen");
        assert_eq!(sorted(referrers.within("x").cloned()), both);
        assert_eq!(sorted(referrers.of(&other).cloned()), sorted([c.clone()]));

        referrers.refer(&a, Some(other.clone()));
        assert_eq!(sorted(referrers.of(&other).cloned()), sorted([a.clone(), c.clone()]));
        assert!(referrers.select(&owner, true));
        assert!(!referrers.select(&owner, false));
        assert!(referrers.select(&other, true));
        assert!(!referrers.retain(|who| *who == c));
        assert_eq!(sorted(referrers.all().cloned()), sorted([c.clone()]));
        referrers.refer(&c, None);
        assert!(
            referrers.owners.is_empty()
                && referrers.by_namespace.is_empty()
                && referrers.refers_to.is_empty(),
            "entries go with the last connection"
        );
    }
}
