//! Which connections refer to which Secret, and the version of it that the watch saw last. No Secret is stored, and what
//! is stored is small: there are ten thousand of these.

use super::{ConnectionRef, Place};
use std::collections::{HashMap, HashSet, hash_map::Entry};

/// What the watch of Secrets saw last of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is there, at this resourceVersion.
    Version(Box<str>),
    /// It is not there.
    Gone,
}

/// The reverse index. Its cost per event is the number of connections that refer to that one Secret.
#[derive(Debug, Default)]
pub struct SecretIndex {
    secrets: HashMap<Place, Referrers>,
    /// The Secret's name, by the place of the connection, whose namespace is the Secret's too.
    connections: HashMap<Place, Box<str>>,
}

#[derive(Debug, Default)]
struct Referrers {
    /// Names of connections, in the Secret's namespace.
    connections: Box<[Box<str>]>,
    seen: Option<Seen>,
}

impl SecretIndex {
    /// Notes which Secret, in its own namespace, a connection refers to.
    pub fn refer(&mut self, connection: &ConnectionRef, secret: &str) {
        let place = Place::of(connection);
        if self.connections.get(&place).is_some_and(|known| **known == *secret) {
            return;
        }
        self.forget(connection);
        let referrers = self.secrets.entry(Place::new(place.namespace(), secret)).or_default();
        let mut connections = std::mem::take(&mut referrers.connections).into_vec();
        connections.push(place.name().into());
        referrers.connections = connections.into();
        self.connections.insert(place, secret.into());
    }

    /// Forgets a connection.
    pub fn forget(&mut self, connection: &ConnectionRef) {
        self.leave(&Place::of(connection));
    }

    fn leave(&mut self, place: &Place) {
        let Some(secret) = self.connections.remove(place) else { return };
        if let Entry::Occupied(mut entry) = self.secrets.entry(Place::new(place.namespace(), &secret)) {
            let mut connections = std::mem::take(&mut entry.get_mut().connections).into_vec();
            connections.retain(|name| **name != *place.name());
            entry.get_mut().connections = connections.into();
            if entry.get().connections.is_empty() {
                entry.remove();
            }
        }
    }

    /// Forgets the connections that are gone.
    pub fn retain(&mut self, is_there: impl Fn(&ConnectionRef) -> bool) {
        let gone: Vec<_> = self.connections.keys().filter(|c| !is_there(&c.connection())).cloned().collect();
        for place in gone {
            self.leave(&place);
        }
    }

    /// Takes in what the watch saw, and tells whom it concerns: nobody where it is no news.
    pub fn saw(&mut self, secret: &Place, seen: Seen) -> Vec<ConnectionRef> {
        match self.secrets.get_mut(secret) {
            Some(referrers) if referrers.seen.as_ref() != Some(&seen) => {
                referrers.seen = Some(seen);
                let names = referrers.connections.iter();
                names.map(|name| ConnectionRef::new(name).within(secret.namespace())).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Takes in what a read found, unless somebody has seen something else since it began, when this was seen last; and
    /// tells whom that concerns.
    pub fn learned(&mut self, secret: &Place, before: Option<&Seen>, found: Seen) -> Vec<ConnectionRef> {
        if self.seen_of(secret) == before { self.saw(secret, found) } else { Vec::new() }
    }

    /// The Secrets that connections refer to now. Of these, those that a list begun now does not have are gone.
    pub fn referred_to(&self) -> HashSet<Place> {
        self.secrets.keys().cloned().collect()
    }

    /// Those of them that are picked, and what was seen last of each.
    pub fn picked(&self, pick: impl Fn(&Place) -> bool) -> Vec<(Place, Option<Seen>)> {
        let picked = self.secrets.iter().filter(|(place, _)| pick(place));
        picked.map(|(place, referrers)| (place.clone(), referrers.seen.clone())).collect()
    }

    /// Whether any connection refers to a Secret.
    pub fn is_referred_to(&self, secret: &Place) -> bool {
        self.secrets.contains_key(secret)
    }

    /// What was seen last of a Secret.
    pub fn seen_of(&self, secret: &Place) -> Option<&Seen> {
        self.secrets.get(secret)?.seen.as_ref()
    }

    /// What was seen last of the Secret that a connection refers to.
    pub fn seen(&self, connection: &ConnectionRef) -> Option<&Seen> {
        let place = Place::of(connection);
        let secret = self.connections.get(&place)?;
        self.seen_of(&Place::new(place.namespace(), secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(name: &str) -> ConnectionRef {
        ConnectionRef::new(name).within("ns")
    }

    fn secret(name: &str) -> Place {
        Place::new("ns", name)
    }

    #[test]
    fn events_reach_who_refers_and_only_once() {
        let mut index = SecretIndex::default();
        index.refer(&connection("a"), "s");
        index.refer(&connection("b"), "s");
        index.refer(&connection("c"), "t");
        let v = |n: &str| Seen::Version(n.into());
        assert_eq!(index.saw(&secret("s"), v("1")), [connection("a"), connection("b")]);
        assert_eq!(index.saw(&secret("s"), v("1")), []);
        assert_eq!(index.saw(&secret("unrelated"), v("1")), []);
        assert_eq!(index.seen(&connection("a")), Some(&v("1")));

        // What a read found counts unless it was overtaken.
        let both = [connection("a"), connection("b")];
        assert_eq!(index.learned(&secret("s"), Some(&v("0")), v("2")), []);
        assert_eq!(index.learned(&secret("s"), Some(&v("1")), v("2")), both);
        assert_eq!(index.learned(&secret("s"), Some(&v("2")), v("2")), []);
        assert_eq!(index.picked(|place| place.name() == "s"), [(secret("s"), Some(v("2")))]);

        index.refer(&connection("a"), "t");
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
