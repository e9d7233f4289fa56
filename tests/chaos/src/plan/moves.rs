//! The steps, one by one: whom each concerns is chosen from the world as it will be then.

use std::{collections::BTreeSet, time::Duration};

use super::{Dealt, Fault, Planner, RESTORES, Skew, Step, is_outage};
use crate::{
    cluster::{ClusterFault, Explains},
    trouble::{Effect, Trouble},
    world::{Broken, Change, Content, Edit, Fill, Key, Sharing, Source, Token, World, secret_of},
};

/// Who may go on to ask for what is not there, when all else is mended.
const VAIN: usize = 10;

impl Planner {
    /// The operator killed at a write of a scenario with first checks, a rotation and rejections; then all is as before.
    pub(super) fn killed_at_write(&mut self, fault: ClusterFault, sweep: bool) {
        let mut changes = Vec::new();
        let mut after = Vec::new();
        for fill in [None, Some(Fill::Broken(Broken::Unknown)), Some(Fill::Broken(Broken::Password))] {
            let Some((key, mut born)) = self.birth(fill) else { continue };
            changes.append(&mut born);
            after.extend([Change::Delete(key.clone()), Change::Remove(secret_of(&key))]);
        }
        // A process that has just begun does not know yet who else uses the token: they learn of its death in their turn.
        let alone = self.disposable();
        if let [rotated, revoked, edited, ..] = &self.pick(alone, 3)[..] {
            changes.extend(self.rotation(rotated));
            changes.push(Change::Edit(edited.clone(), Edit::Description));
            // A good token is called dead only after ten seconds: not where there is no time.
            if let (true, Token::Live(account)) = (sweep, self.world.token_of(revoked)) {
                changes.extend([Change::Revoke(account), Change::Ask(revoked.clone())]);
                after.push(Change::Regenerate(account));
                after.push(Change::Put(secret_of(revoked), Fill::Token(account)));
            }
        }
        let world = self.world.clone();
        self.push("operator killed at a write", Fault::Cluster(fault, Duration::ZERO), changes, Vec::new());
        self.push(RESTORES, Fault::None, after, Vec::new());
        if sweep {
            self.steps.iter_mut().rev().take(2).for_each(|step| step.sweep = true);
            // Only the versions of tokens and the counters of checks differ, which no plan depends on.
            self.world = World { born: self.world.born, ..world };
        }
    }

    /// A fault of the cluster while some of everything is done.
    pub(super) fn cluster(&mut self, fault: ClusterFault, seconds: u64) {
        let lasting = match fault.explains() {
            Explains::StandStill | Explains::Delay if !fault.restarts_operator() => {
                Duration::from_secs(seconds)
            }
            _ => Duration::ZERO,
        };
        let changes =
            if is_outage(&fault) { self.ask_all() } else { self.some_of_everything(&BTreeSet::new()) };
        // A new process knows nothing of the outage that the one before has seen.
        let after = if fault == ClusterFault::DnsFails { self.ask_everybody() } else { Vec::new() };
        self.push(fault, Fault::Cluster(fault, lasting), changes, after);
    }

    /// Faults of ClickUp's, each on one call of one token.
    pub(super) fn deal(&mut self, tokens: usize) {
        let mut dealt: Vec<Dealt> = Vec::new();
        let mut used: BTreeSet<usize> = BTreeSet::new();
        let good = self.good_accounts();
        for _ in 0..self.troubles.len() {
            if dealt.len() == tokens {
                break;
            }
            let Some((call, trouble)) = self.troubles.pop_front() else { break };
            // They come round again.
            self.troubles.push_back((call, trouble));
            let is_answer = matches!(trouble.effect(call), Effect::No(_));
            let candidates = good.iter().filter(|(account, holders)| {
                let lent = || holders.iter().any(|key| !self.world.is_owner(key));
                let others = is_answer && (lent() || (self.sparing && holders.len() > 1));
                !used.contains(account) && !others
            });
            let makes = |key: &&Key| {
                let asks = self.world.connections.get(key).map(|c| &c.asks);
                self.world.is_owner(key) && asks.is_some_and(|asks| call.is_made_for(asks))
            };
            let fitting: Vec<_> = candidates
                .map(|(account, holders)| {
                    (*account, holders.iter().filter(&makes).cloned().collect::<Vec<_>>())
                })
                .filter(|(_, shown_by)| !shown_by.is_empty())
                .collect();
            let Some((account, mut shown_by)) = self.rng.choice(fitting) else { continue };
            if self.sparing {
                shown_by.truncate(1);
            }
            used.insert(account);
            dealt.push(Dealt { account, call, trouble, shown_by });
        }
        let asked: Vec<_> = match self.sparing {
            true => dealt.iter().flat_map(|d| d.shown_by.clone()).collect(),
            false => used.iter().flat_map(|account| self.owners_with(*account)).collect(),
        };
        let judged = |d: &&Dealt| matches!(d.trouble.effect(d.call), Effect::No(_));
        let answered: Vec<_> =
            dealt.iter().filter(judged).flat_map(|d| self.owners_with(d.account)).map(Change::Ask).collect();
        // Somebody whose token is answered shows that ClickUp is there.
        let well = good.iter().filter(|(account, _)| !used.contains(account));
        let well: Vec<_> = well.take(3).filter_map(|(account, _)| self.owners_with(*account).pop()).collect();
        let changes = well.into_iter().chain(asked).map(Change::Ask).collect();
        self.push("ClickUp's answers, each token its own fault", Fault::Dealt(dealt), changes, answered);
    }

    /// ClickUp fails for all.
    pub(super) fn outage(&mut self) {
        use Trouble::*;
        let all =
            [Reset, Close, Garbage, Truncated, Silent, Error500, Error503, Html502, Html200, WrongShape];
        let trouble = self.rng.choice(all).unwrap_or(Error503);
        let changes = self.ask_all();
        self.push(format!("ClickUp down for all: {trouble}"), Fault::Outage(trouble), changes, Vec::new());
    }

    /// ClickUp's clock is wrong.
    pub(super) fn skew(&mut self, skew: Skew) {
        let changes = self.ask_all();
        let title = format!("ClickUp's clock: Date {:+} h, reset {:+} h", skew.date, skew.reset);
        self.push(title, Fault::Skew(skew), changes, Vec::new());
    }

    /// Connections created and deleted.
    pub(super) fn storm(&mut self, count: usize) {
        let plain = self.disposable();
        let surplus = self.world.connections.len().saturating_sub(self.size);
        let mut changes = Vec::new();
        let gone: BTreeSet<_> = self.pick(plain, surplus.max(count / 2)).into_iter().collect();
        for key in &gone {
            self.homes.remove(&secret_of(key));
            changes.extend([Change::Delete(key.clone()), Change::Remove(secret_of(key))]);
        }
        for _ in 0..count {
            changes.extend(self.birth(None).map(|(_, born)| born).unwrap_or_default());
        }
        changes.extend(self.some_of_everything(&gone));
        self.push("storm of creations and deletions", Fault::None, changes, Vec::new());
    }

    /// Namespaces lose and get the label that owners share by.
    pub(super) fn relabel(&mut self) {
        let labels = self.world.namespaces.clone();
        let all = labels.iter().enumerate();
        let changes = all.filter(|_| self.rng.bool()).map(|(n, on)| Change::Label(n, !on)).collect();
        self.push("namespaces relabelled", Fault::None, changes, Vec::new());
    }

    /// Some are suspended, their Secrets change, and they go on.
    pub(super) fn suspend(&mut self) {
        // Withdrawn sharing takes effect on the suspended too: no labels are to decide about them.
        let may = |world: &World, key: &Key| {
            let connection = world.connections.get(key);
            let owner = connection.and_then(|c| match &c.source {
                Source::Owner(owner) => world.connections.get(owner),
                Source::Secret(_) => Some(c),
            });
            !world.is_suspended(key) && owner.is_some_and(|owner| owner.sharing != Sharing::Selected)
        };
        let all: Vec<_> =
            self.world.connections.keys().filter(|key| may(&self.world, key)).cloned().collect();
        let chosen = self.pick(all, 10);
        let mut changes: Vec<_> = chosen.iter().map(|key| Change::Suspend(key.clone(), true)).collect();
        let suspended = self.world.connections.iter().filter(|(_, c)| c.suspended);
        let resumed: Vec<_> = suspended.map(|(key, _)| Change::Suspend(key.clone(), false)).collect();
        changes.extend(resumed);
        self.push("suspended and resumed", Fault::None, changes, Vec::new());
        for key in &chosen {
            let quiet = self.rng.bool() && self.world.is_owner(key);
            if quiet {
                let broken = Change::Put(secret_of(key), Fill::Broken(Broken::Empty));
                self.push("Secret broken while suspended", Fault::None, vec![broken], Vec::new());
                break;
            }
        }
    }

    /// ClickUp kills tokens; later they are replaced.
    pub(super) fn revoke(&mut self) {
        let good = self.lone_good();
        let mut changes = Vec::new();
        for key in self.pick(good, 6) {
            if let Token::Live(account) = self.world.token_of(&key) {
                changes.push(Change::Revoke(account));
                // Who uses another's token too: a process that has begun lately may not know of them yet.
                let users = self.world.users_of(account).into_iter();
                changes.extend(users.filter(|key| !self.world.is_suspended(key)).map(Change::Ask));
            }
        }
        self.push("tokens revoked", Fault::None, changes, Vec::new());
    }

    /// Secrets that yield no token any more.
    pub(super) fn break_secrets(&mut self, count: usize) {
        let good = self.lone_good();
        let mut changes = Vec::new();
        for key in self.pick(good, count) {
            changes.push(self.breaking(&key));
        }
        self.push("Secrets deleted, emptied, binary, 1 MB", Fault::None, changes, Vec::new());
    }

    /// Tokens change places.
    pub(super) fn swap(&mut self, pairs: usize) {
        let portable = self.portable();
        let chosen = self.pick(portable, pairs * 2);
        let swapped = chosen.chunks_exact(2).map(|p| Change::Swap(secret_of(&p[0]), secret_of(&p[1])));
        let changes = swapped.collect();
        self.push("tokens swapped", Fault::None, changes, Vec::new());
    }

    /// Edits of specs.
    pub(super) fn edit(&mut self, count: usize) {
        let all: Vec<_> =
            self.world.connections.keys().filter(|key| !self.world.is_suspended(key)).cloned().collect();
        let mut changes = Vec::new();
        for key in self.pick(all, count) {
            changes.push(Change::Edit(key, self.some_edit()));
        }
        self.push("specs edited", Fault::None, changes, Vec::new());
    }

    /// Secrets get tokens that live; dead ones are replaced, and who was suspended goes on.
    pub(super) fn mend(&mut self) {
        let mut changes = Vec::new();
        let accounts = self.world.accounts.iter().enumerate();
        changes.extend(accounts.filter(|(_, a)| !a.live).map(|(account, _)| Change::Regenerate(account)));
        for (key, home) in &self.homes {
            let account = match self.world.secrets.get(key) {
                Some(Content::Token { account, version, .. }) => {
                    let lives =
                        self.world.accounts.get(*account).is_some_and(|a| a.live && a.version == *version);
                    (!lives).then_some(*account)
                }
                Some(Content::Broken(_)) | None => Some(*home),
            };
            let wanted = account.filter(|_| !self.world.holders_of(key).is_empty());
            changes.extend(wanted.map(|account| Change::Put(key.clone(), Fill::Token(account))));
        }
        // Some who ask in vain remain.
        let vain = self.world.connections.iter().filter(|(key, c)| {
            let asks = c.asks.channel == Some(false) || c.asks.missing_list;
            asks && !self.world.is_suspended(key)
        });
        for (key, connection) in vain.skip(VAIN) {
            let no_channel = connection.asks.channel == Some(false);
            let edit = if no_channel { Edit::Channel(Some(true)) } else { Edit::MissingList(false) };
            changes.push(Change::Edit(key.clone(), edit));
        }
        let suspended = self.world.connections.iter().filter(|(_, c)| c.suspended);
        changes.extend(suspended.map(|(key, _)| Change::Suspend(key.clone(), false)));
        self.push("Secrets mended, dead tokens replaced", Fault::None, changes, Vec::new());
    }
}

impl Change {
    /// What it is, for a list of counts.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Put(..) => "Secrets written",
            Self::Remove(_) => "Secrets deleted",
            Self::Swap(..) => "Secrets swapped",
            Self::Create(..) => "created",
            Self::Delete(_) => "deleted",
            Self::Edit(..) => "edited",
            Self::Suspend(_, true) => "suspended",
            Self::Suspend(_, false) => "resumed",
            Self::Label(..) => "relabelled",
            Self::Revoke(_) => "revoked",
            Self::Regenerate(_) => "regenerated",
            Self::Ask(_) => "asked for",
        }
    }
}

impl Step {
    /// The longest that it may take until all is settled again.
    pub fn patience(&self) -> Duration {
        let blocked = match &self.fault {
            Fault::Dealt(dealt) => dealt.iter().map(|d| d.trouble.blocks()).max(),
            _ => None,
        };
        Duration::from_secs(75) + blocked.unwrap_or_default()
    }
}
