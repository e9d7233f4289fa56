//! The schedule: a pure function of the seed. What can be chosen next depends on the world, so the plan is made by doing
//! it to a world of plain values.

mod choice;
mod moves;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    time::Duration,
};

use fastrand::Rng;

use crate::{
    cluster::{ClusterFault, Explains},
    trouble::{Call, Trouble},
    world::{Change, Key, World, token_name},
};

/// How large and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// A minute: a few steps of each sort.
    Short,
    /// Half an hour: everything, then again in another order.
    Long,
}

/// A whole schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What it was made from.
    pub seed: u64,
    /// What is there at the beginning.
    pub world: World,
    /// What happens.
    pub steps: Vec<Step>,
}

/// A fault begins, things are done, the fault ends, more is done, and all must settle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it is called in the report.
    pub title: String,
    /// What is wrong meanwhile.
    pub fault: Fault,
    /// Done while it is.
    pub changes: Vec<Change>,
    /// Done after it.
    pub after: Vec<Change>,
    /// Part of the kills at each write in turn: left out once a scenario has fewer writes.
    pub sweep: bool,
}

/// The title of a step that puts things back where the one before found them.
pub const RESTORES: &str = "and all as before";

/// What is wrong during a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The cluster, or the way to ClickUp; for so long where nothing shows when it was felt.
    Cluster(ClusterFault, Duration),
    /// Some tokens, each with an answer of its own.
    Dealt(Vec<Dealt>),
    /// All tokens.
    Outage(Trouble),
    /// ClickUp's clock.
    Skew(Skew),
}

/// A wrong answer for one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dealt {
    /// Whose token.
    pub account: usize,
    /// To this call.
    pub call: Call,
    /// This is wrong.
    pub trouble: Trouble,
    /// Whose status must show it.
    pub shown_by: Vec<Key>,
}

/// How ClickUp's clock is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skew {
    /// Hours that `Date` is off.
    pub date: i64,
    /// Hours that `x-ratelimit-reset` is off.
    pub reset: i64,
}

impl Plan {
    /// The schedule of this seed.
    pub fn new(seed: u64, profile: Profile) -> Plan {
        let mut rng = Rng::with_seed(seed);
        let (connections, namespaces) = match profile {
            Profile::Short => (60, 4),
            Profile::Long => (300, 8),
        };
        let world = World::populated(connections, namespaces, &mut rng);
        let mut planner = Planner::new(rng, world.clone());
        match profile {
            Profile::Short => planner.short(),
            Profile::Long => planner.long(),
        }
        Plan { seed, world, steps: planner.steps }
    }
}

/// Makes a plan.
struct Planner {
    rng: Rng,
    /// As it will be after the steps so far.
    world: World,
    steps: Vec<Step>,
    /// How many connections there are to be, about.
    size: usize,
    /// Asks once about each token: a second request would wait for ten seconds.
    sparing: bool,
    /// Whose token was in each Secret at first.
    homes: BTreeMap<Key, usize>,
    /// Faults of ClickUp's that are still to come.
    troubles: VecDeque<(Call, Trouble)>,
}

/// Writes of the scenario that the operator is killed in, at most.
const SWEEP: usize = 24;
/// Rounds of a long run; it ends when its time is up.
const ROUNDS: usize = 3;

impl Planner {
    fn new(mut rng: Rng, world: World) -> Self {
        let mut troubles: Vec<_> =
            Call::ALL.into_iter().flat_map(|call| Trouble::ALL.map(|trouble| (call, trouble))).collect();
        rng.shuffle(&mut troubles);
        let homes = world.homes();
        let size = world.connections.len();
        Self { rng, world, steps: Vec::new(), size, sparing: false, homes, troubles: troubles.into() }
    }

    fn short(&mut self) {
        self.sparing = true;
        let nth = self.rng.usize(..6);
        let before = self.rng.bool();
        self.killed_at_write(ClusterFault::OperatorKilledAtWrite { nth, before }, false);
        let quick = |fault: &ClusterFault| {
            !fault.restarts_operator()
                && !is_outage(fault)
                && !Fault::Cluster(*fault, Duration::ZERO).leaves_no_server()
        };
        let mut faults: Vec<_> = ClusterFault::all().into_iter().filter(quick).collect();
        self.rng.shuffle(&mut faults);
        for fault in faults.into_iter().take(2) {
            self.cluster(fault, 3);
        }
        // What takes its time by design is for the long run.
        let slow =
            |trouble: &Trouble| matches!(trouble, Trouble::LimitedBare | Trouble::Huge | Trouble::Dead);
        self.troubles.retain(|(_, trouble)| !slow(trouble));
        self.deal(16);
        self.storm(8);
        self.outage();
        self.relabel();
        self.mend();
    }

    fn long(&mut self) {
        self.storm(30);
        for before in [true, false] {
            for nth in 0..SWEEP {
                self.killed_at_write(ClusterFault::OperatorKilledAtWrite { nth, before }, true);
            }
        }
        for round in 0..ROUNDS {
            let mut moves = self.round(round == 0);
            self.rng.shuffle(&mut moves);
            for one in moves {
                self.make(one);
            }
        }
    }

    /// Everything once. What ends the operator's process comes in the first round only: what it holds in memory is
    /// to be compared over a long time.
    fn round(&mut self, first: bool) -> Vec<Move> {
        let faults = ClusterFault::all().into_iter().filter(|fault| {
            let restarts = fault.restarts_operator();
            !matches!(fault, ClusterFault::OperatorKilledAtWrite { .. }) && (first || !restarts)
        });
        let mut moves: Vec<_> = faults.map(Move::Cluster).collect();
        moves.extend([Move::Deal; 9]);
        moves.extend([Move::Outage; 3]);
        moves.extend(
            [(1, 1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1)]
                .map(|(date, reset)| Move::Skew(Skew { date, reset })),
        );
        moves.extend([Move::Storm, Move::Storm, Move::Relabel, Move::Relabel, Move::Suspend, Move::Revoke]);
        moves.extend([Move::Mend, Move::Mend, Move::Break, Move::Swap, Move::Edit]);
        moves
    }

    fn make(&mut self, one: Move) {
        match one {
            Move::Cluster(fault) => {
                let seconds = self.rng.u64(4..15);
                self.cluster(fault, seconds);
            }
            Move::Deal => self.deal(24),
            Move::Outage => self.outage(),
            Move::Skew(skew) => self.skew(skew),
            Move::Storm => self.storm(30),
            Move::Relabel => self.relabel(),
            Move::Suspend => self.suspend(),
            Move::Revoke => self.revoke(),
            Move::Break => self.break_secrets(12),
            Move::Swap => self.swap(8),
            Move::Edit => self.edit(20),
            Move::Mend => self.mend(),
        }
    }

    fn push(&mut self, title: impl fmt::Display, fault: Fault, changes: Vec<Change>, after: Vec<Change>) {
        for change in changes.iter().chain(&after) {
            self.world.apply(change);
        }
        self.steps.push(Step { title: title.to_string(), fault, changes, after, sweep: false });
    }
}

/// What a step is about.
#[derive(Clone, Copy)]
enum Move {
    Cluster(ClusterFault),
    Deal,
    Outage,
    Skew(Skew),
    Storm,
    Relabel,
    Suspend,
    Revoke,
    Break,
    Swap,
    Edit,
    Mend,
}

fn is_outage(fault: &ClusterFault) -> bool {
    matches!(fault.explains(), Explains::Unreachable(_))
}

impl Fault {
    /// Whether the API server takes no requests, of the administrator either.
    pub fn leaves_no_server(&self) -> bool {
        use ClusterFault::{ApiServerKilled, ApiServerStopped, EtcdRestarted};
        matches!(self, Self::Cluster(ApiServerKilled | ApiServerStopped | EtcdRestarted, _))
    }

    /// How long it lasts between two halves of what is done, where all goes on under it, only slower.
    pub fn worked_under(&self) -> Duration {
        match self {
            Self::Cluster(fault, lasting) if fault.explains() == Explains::Delay => *lasting,
            _ => Duration::ZERO,
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let World { accounts, namespaces, secrets, connections, .. } = &self.world;
        writeln!(
            f,
            "seed {}: {} connections, {} Secrets, {} accounts, {} namespaces",
            self.seed,
            connections.len(),
            secrets.len(),
            accounts.len(),
            namespaces.len()
        )?;
        for (n, step) in (1..).zip(&self.steps) {
            writeln!(f, "{n:4}  {step}")?;
            let Fault::Dealt(dealt) = &step.fault else { continue };
            for Dealt { account, call, trouble, .. } in dealt {
                writeln!(f, "        {}: {call}: {trouble}", token_name(*account))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.title)?;
        match &self.fault {
            Fault::Cluster(_, lasting) if !lasting.is_zero() => write!(f, ", {} s", lasting.as_secs())?,
            Fault::Dealt(dealt) => write!(f, ": {} tokens", dealt.len())?,
            _ => {}
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for change in self.changes.iter().chain(&self.after) {
            *counts.entry(change.word()).or_default() += 1;
        }
        for (word, count) in counts {
            write!(f, ", {count} {word}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
