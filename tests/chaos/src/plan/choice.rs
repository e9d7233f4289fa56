//! Whom a step concerns, and what is done to them.

use std::collections::{BTreeMap, BTreeSet};

use super::Planner;
use crate::world::{
    Asks, Broken, Change, Connection, Content, Edit, Fill, Key, Node, Token, World, secret_of,
};

/// Who is asked about at once where time is short: an outage lets five a second find out.
const A_FEW: usize = 15;

impl World {
    /// Whose token is in each Secret.
    pub(super) fn homes(&self) -> BTreeMap<Key, usize> {
        let account = |content: &Content| match content {
            Content::Token { account, .. } => Some(*account),
            Content::Broken(_) => None,
        };
        self.secrets.iter().filter_map(|(key, content)| Some((key.clone(), account(content)?))).collect()
    }

    /// Whether everything that a connection asks for works.
    fn is_good(&self, key: &Key) -> bool {
        !self.is_suspended(key) && self.expected(key).ready() == ("True", "Verified")
    }
}

impl Planner {
    /// Some of everything, on connections that have nothing to do with each other, nor with these.
    pub(super) fn some_of_everything(&mut self, others: &BTreeSet<Key>) -> Vec<Change> {
        let good = self.lone_good().into_iter().filter(|key| !others.contains(key)).collect();
        let chosen = self.pick(good, 6);
        let mut changes = Vec::new();
        for (n, key) in chosen.iter().enumerate() {
            match n {
                0 | 1 => changes.extend(self.rotation(key)),
                2 => changes.push(self.breaking(key)),
                3 => changes.push(Change::Edit(key.clone(), self.some_edit())),
                4 => changes.push(Change::Ask(key.clone())),
                5 => {
                    if let Token::Live(account) = self.world.token_of(key) {
                        changes.push(Change::Put(secret_of(key), Fill::Large(account)));
                    }
                }
                _ => {}
            }
        }
        let free = |key: &Key| !chosen.contains(key) && !others.contains(key);
        let portable = self.portable().into_iter().filter(free).collect();
        if let [one, other] = &self.pick(portable, 2)[..] {
            changes.push(Change::Swap(secret_of(one), secret_of(other)));
        }
        for _ in 0..2 {
            changes.extend(self.birth(None).map(|(_, born)| born).unwrap_or_default());
        }
        changes
    }

    /// A new connection with a Secret of its own: with a token that nobody uses, or with this.
    pub(super) fn birth(&mut self, fill: Option<Fill>) -> Option<(Key, Vec<Change>)> {
        let held: BTreeSet<_> =
            self.world.homes().into_values().chain(self.homes.values().copied()).collect();
        let spare = (0..self.world.accounts.len()).filter(|account| !held.contains(account));
        let account = self.rng.choice(spare.collect::<Vec<_>>())?;
        let namespace = self.rng.usize(..self.world.namespaces.len());
        let key = self.world.next_key(namespace);
        // The number is this one's from now on, also before the changes are made.
        self.world.born += 1;
        let asks = Asks::some(&mut self.rng);
        let create = Change::Create(key.clone(), Box::new(Connection::of(&key, account, asks)));
        let put = Change::Put(secret_of(&key), fill.unwrap_or(Fill::Token(account)));
        if fill.is_none() {
            self.homes.insert(secret_of(&key), account);
        }
        let born = if self.rng.bool() { vec![create, put] } else { vec![put, create] };
        Some((key, born))
    }

    /// The token is regenerated and stored.
    pub(super) fn rotation(&mut self, key: &Key) -> Vec<Change> {
        match self.world.token_of(key) {
            Token::Live(account) => {
                vec![Change::Regenerate(account), Change::Put(secret_of(key), Fill::Token(account))]
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn breaking(&mut self, key: &Key) -> Change {
        let all = Broken::ALL.into_iter().map(|broken| Change::Put(secret_of(key), Fill::Broken(broken)));
        let all = all.chain([Change::Remove(secret_of(key))]);
        self.rng.choice(all.collect::<Vec<_>>()).unwrap_or(Change::Remove(secret_of(key)))
    }

    pub(super) fn some_edit(&mut self) -> Edit {
        let all = [
            Edit::Description,
            Edit::Channel(Some(true)),
            Edit::Channel(Some(false)),
            Edit::Channel(None),
            Edit::MissingList(true),
            Edit::MissingList(false),
            Edit::Role(Some(true)),
            Edit::Role(None),
        ];
        self.rng.choice(all).unwrap_or(Edit::Description)
    }

    pub(super) fn pick(&mut self, mut from: Vec<Key>, count: usize) -> Vec<Key> {
        self.rng.shuffle(&mut from);
        from.truncate(count);
        from
    }

    /// Who works, has a Secret of its own, and is alone with its token but for those who refer to it.
    pub(super) fn lone_good(&self) -> Vec<Key> {
        let alone = |(_, holders): &(usize, BTreeSet<Key>)| {
            holders.iter().filter(|key| self.world.is_owner(key)).count() == 1
        };
        let owner =
            |(_, holders): (usize, BTreeSet<Key>)| holders.into_iter().find(|key| self.world.is_owner(key));
        self.good_accounts().into_iter().filter(alone).filter_map(owner).collect()
    }

    /// Who can go without being missed: nobody refers to it.
    pub(super) fn disposable(&self) -> Vec<Key> {
        let lone = self.lone_good().into_iter();
        lone.filter(|key| self.world.referrers(key).next().is_none()).collect()
    }

    /// Who can use any account's token: it names no nodes by their ids, and nobody refers to it.
    pub(super) fn portable(&self) -> Vec<Key> {
        let names_none = |key: &Key| {
            let asks = self.world.connections.get(key).map(|c| &c.asks);
            asks.is_some_and(|asks| asks.access.iter().all(|node| *node == Node::SpaceNamed))
        };
        self.disposable().into_iter().filter(names_none).collect()
    }

    /// Accounts whose living token is held, all of whose holders work and keep Ready for a while when they cannot be
    /// asked about, and who holds it.
    pub(super) fn good_accounts(&self) -> Vec<(usize, BTreeSet<Key>)> {
        let world = &self.world;
        let mut held: BTreeMap<usize, BTreeSet<Key>> = Default::default();
        for key in world.connections.keys() {
            if let Token::Live(account) = world.token_of(key) {
                held.entry(account).or_default().insert(key.clone());
            }
        }
        let good = |holders: &BTreeSet<Key>| {
            let graceful = |key: &Key| world.connections.get(key).is_some_and(|c| !c.graceless);
            holders.iter().all(|key| world.is_good(key) && graceful(key))
        };
        held.into_iter().filter(|(_, holders)| good(holders)).collect()
    }

    /// Who has a Secret of its own with this account's token, and is checked.
    pub(super) fn owners_with(&self, account: usize) -> Vec<Key> {
        let owner = |key: &Key| self.world.is_owner(key) && !self.world.is_suspended(key);
        self.world.users_of(account).into_iter().filter(owner).collect()
    }

    /// A check of everybody with a Secret and a token.
    pub(super) fn ask_all(&self) -> Vec<Change> {
        let asked = |key: &&Key| {
            let has = matches!(self.world.token_of(key), Token::Live(_));
            has && self.world.is_owner(key) && !self.world.is_suspended(key)
        };
        let mut seen = BTreeSet::new();
        let mut first = |key: &&Key| match self.world.token_of(key) {
            Token::Live(account) => seen.insert(account) || !self.sparing,
            _ => false,
        };
        self.world
            .connections
            .keys()
            .filter(asked)
            .filter(|key| first(key))
            .take(if self.sparing { A_FEW } else { usize::MAX })
            .cloned()
            .map(Change::Ask)
            .collect()
    }

    /// The same, with those who use another's token.
    pub(super) fn ask_everybody(&self) -> Vec<Change> {
        let asked =
            |key: &&Key| !self.world.is_suspended(key) && matches!(self.world.token_of(key), Token::Live(_));
        self.world.connections.keys().filter(asked).cloned().map(Change::Ask).collect()
    }
}
