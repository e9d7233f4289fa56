//! The connections that there are at the beginning: every shape that the contract knows, in fixed shares.

use fastrand::Rng;

use super::{Account, Asks, Broken, Change, Connection, Fill, Key, Node, Sharing, Source, World};

const NODES: [Node; 5] = [Node::Space, Node::SpaceNamed, Node::Folder, Node::List, Node::Task];

impl World {
    /// About so many connections in so many namespaces, with some accounts to spare. The same from the same numbers.
    pub fn populated(connections: usize, namespaces: usize, rng: &mut Rng) -> World {
        let mut world =
            World { namespaces: (0..namespaces).map(|n| n % 2 == 0).collect(), ..World::default() };
        while world.connections.len() < connections {
            let namespace = rng.usize(..namespaces);
            match rng.u8(..100) {
                ..60 => drop(world.add_plain(namespace, rng)),
                60..70 => world.add_crowd(rng),
                70..85 => world.add_family(namespace, rng),
                85..92 => {
                    let key = world.add_plain(namespace, rng);
                    let secret = secret_of(&key);
                    let broken = rng.choice(Broken::ALL).unwrap_or(Broken::Empty);
                    world.apply(&Change::Put(secret, Fill::Broken(broken)));
                }
                92..95 => {
                    let key = world.add_plain(namespace, rng);
                    world.apply(&Change::Remove(secret_of(&key)));
                }
                95..97 => {
                    let key = world.next_key(namespace);
                    let account = world.add_account(rng);
                    let connection =
                        Connection { suspended: true, ..Connection::of(&key, account, Asks::some(rng)) };
                    world.add(key, connection, account);
                }
                _ => {
                    let key = world.add_plain(namespace, rng);
                    if let Some(connection) = world.connections.get_mut(&key) {
                        connection.graceless = true;
                    }
                }
            }
        }
        for _ in 0..connections / 3 + 8 {
            world.add_account(rng);
        }
        world
    }

    /// A name that no object had before, in this namespace.
    pub fn next_key(&self, namespace: usize) -> Key {
        Key::new(namespace, format!("c{}", self.born))
    }

    fn add_account(&mut self, rng: &mut Rng) -> usize {
        self.accounts.push(Account { version: 0, live: true, member: rng.u8(..3) == 0, limit: 1_000 });
        self.accounts.len() - 1
    }

    fn add(&mut self, key: Key, connection: Connection, account: usize) {
        self.apply(&Change::Put(secret_of(&key), Fill::Token(account)));
        self.apply(&Change::Create(key, Box::new(connection)));
    }

    /// A connection with a token of its own.
    fn add_plain(&mut self, namespace: usize, rng: &mut Rng) -> Key {
        let key = self.next_key(namespace);
        let account = self.add_account(rng);
        self.add(key.clone(), Connection::of(&key, account, Asks::some(rng)), account);
        key
    }

    /// Several with copies of one token, in any namespaces.
    fn add_crowd(&mut self, rng: &mut Rng) {
        let account = self.add_account(rng);
        for _ in 0..rng.usize(3..6) {
            let key = self.next_key(rng.usize(..self.namespaces.len()));
            self.add(
                key.clone(),
                Connection { hasty: rng.bool(), ..Connection::of(&key, account, Asks::some(rng)) },
                account,
            );
        }
    }

    /// One that shares, and those who use it.
    fn add_family(&mut self, namespace: usize, rng: &mut Rng) {
        let key = self.next_key(namespace);
        let account = self.add_account(rng);
        let sharing = match rng.u8(..4) {
            0 => Sharing::Cluster,
            1 => Sharing::Listed(rng.usize(..self.namespaces.len())),
            _ => Sharing::Selected,
        };
        self.add(
            key.clone(),
            Connection { sharing, ..Connection::of(&key, account, Asks::some(rng)) },
            account,
        );
        for _ in 0..rng.usize(1..4) {
            let user = self.next_key(rng.usize(..self.namespaces.len()));
            let source = Source::Owner(key.clone());
            let connection =
                Connection { source, of: account, asks: Asks::some(rng), ..Connection::default() };
            self.apply(&Change::Create(user, Box::new(connection)));
        }
    }
}

/// The Secret of a connection that has one of its own.
pub fn secret_of(key: &Key) -> Key {
    Key::new(key.namespace, format!("secret-of-{}", key.name))
}

impl Connection {
    /// With a Secret of its own.
    pub fn of(key: &Key, account: usize, asks: Asks) -> Connection {
        Connection { source: Source::Secret(secret_of(key).name), of: account, asks, ..Connection::default() }
    }
}

impl Asks {
    /// Some of what can be asked for; one in ten asks in vain.
    pub fn some(rng: &mut Rng) -> Asks {
        let vain = rng.u8(..10) == 0;
        let fault = rng.u8(..4);
        let mut maybe = |of: u8| rng.u8(..of) == 0;
        let mut asks = Asks {
            channel: maybe(3).then_some(true),
            access: NODES.into_iter().filter(|_| maybe(4)).collect(),
            missing_list: false,
            role: maybe(5).then_some(true),
            required: maybe(5).then_some(true),
        };
        match fault {
            0 if vain => asks.channel = Some(false),
            1 if vain => asks.missing_list = true,
            2 if vain => asks.role = Some(false),
            3 if vain => asks.required = Some(false),
            _ => {}
        }
        asks
    }
}
