//! Which connections refer to which Secret, and the version of it that the watch saw last. No Secret is stored.

use super::ConnectionRef;
use std::collections::{HashMap, HashSet, hash_map::Entry};

/// A Secret's place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SecretRef {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// What the watch of Secrets saw last of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is there, at this resourceVersion.
    Version(String),
    /// It is not there.
    Gone,
}

/// The reverse index. Its cost per event is the number of connections that refer to that one Secret.
#[derive(Debug, Default)]
pub(super) struct SecretIndex {
    secrets: HashMap<SecretRef, Referrers>,
    connections: HashMap<ConnectionRef, SecretRef>,
}

#[derive(Debug, Default)]
struct Referrers {
    connections: Vec<ConnectionRef>,
    seen: Option<Seen>,
}

impl SecretIndex {
    /// Notes which Secret a connection refers to.
    pub(super) fn refer(&mut self, connection: ConnectionRef, secret: SecretRef) {
        if self.connections.get(&connection) == Some(&secret) {
            return;
        }
        self.forget(&connection);
        self.secrets.entry(secret.clone()).or_default().connections.push(connection.clone());
        self.connections.insert(connection, secret);
    }

    /// Forgets a connection.
    pub(super) fn forget(&mut self, connection: &ConnectionRef) {
        let Some(secret) = self.connections.remove(connection) else { return };
        if let Entry::Occupied(mut entry) = self.secrets.entry(secret) {
            entry.get_mut().connections.retain(|c| c != connection);
            if entry.get().connections.is_empty() {
                entry.remove();
            }
        }
    }

    /// Forgets the connections that are gone.
    pub(super) fn retain(&mut self, is_there: impl Fn(&ConnectionRef) -> bool) {
        let gone: Vec<_> = self.connections.keys().filter(|c| !is_there(c)).cloned().collect();
        for connection in gone {
            self.forget(&connection);
        }
    }

    /// Takes in what the watch saw, and tells whom it concerns: nobody where it is no news.
    pub(super) fn saw(&mut self, secret: &SecretRef, seen: Seen) -> Vec<ConnectionRef> {
        match self.secrets.get_mut(secret) {
            Some(referrers) if referrers.seen.as_ref() != Some(&seen) => {
                referrers.seen = Some(seen);
                referrers.connections.clone()
            }
            _ => Vec::new(),
        }
    }

    /// The Secrets that connections refer to now. Of these, those that a list begun now does not have are gone.
    pub(super) fn referred_to(&self) -> HashSet<SecretRef> {
        self.secrets.keys().cloned().collect()
    }

    /// What was seen last of the Secret that a connection refers to.
    pub(super) fn seen(&self, connection: &ConnectionRef) -> Option<&Seen> {
        self.secrets.get(self.connections.get(connection)?)?.seen.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(name: &str) -> ConnectionRef {
        ConnectionRef::new(name).within("ns")
    }

    fn secret(name: &str) -> SecretRef {
        SecretRef { namespace: "ns".into(), name: name.into() }
    }

    #[test]
    fn events_reach_who_refers_and_only_once() {
        let mut index = SecretIndex::default();
        index.refer(connection("a"), secret("s"));
        index.refer(connection("b"), secret("s"));
        index.refer(connection("c"), secret("t"));
        let v = |n: &str| Seen::Version(n.into());
        assert_eq!(index.saw(&secret("s"), v("1")), [connection("a"), connection("b")]);
        assert_eq!(index.saw(&secret("s"), v("1")), []);
        assert_eq!(index.saw(&secret("unrelated"), v("1")), []);
        assert_eq!(index.seen(&connection("a")), Some(&v("1")));

        index.refer(connection("a"), secret("t"));
        assert_eq!(index.saw(&secret("s"), Seen::Gone), [connection("b")]);
        assert_eq!(index.referred_to(), HashSet::from([secret("s"), secret("t")]));

        index.retain(|c| *c == connection("c"));
        assert_eq!(index.connections.len(), 1);
        index.forget(&connection("c"));
        assert!(
            index.secrets.is_empty() && index.connections.is_empty(),
            "entries go with the last connection"
        );
    }
}
