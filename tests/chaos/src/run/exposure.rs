//! What a fault lets be seen of whom, and who must show it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;
use test_support::case::is;

use crate::{
    checker::rules::Allowed,
    cluster::Explains,
    plan::{Fault, Step},
    trouble::{Call, Effect},
    world::{Change, Key, Token, World},
};

/// What a fault lets be seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Exposure {
    /// Reasons of Reachable, by connection.
    reasons: HashMap<Key, BTreeSet<&'static str>>,
    /// What ClickUp's wrong answers make of Ready.
    denied: HashMap<Key, BTreeSet<(&'static str, &'static str)>>,
    /// What must be seen before the fault may end.
    shown: BTreeMap<Key, Effect>,
}

impl Exposure {
    /// Of a step that begins in this world.
    pub(super) fn of(step: &Step, world: &World) -> Self {
        let mut exposure = Self::default();
        match &step.fault {
            Fault::None | Fault::Skew(_) => {}
            Fault::Cluster(fault, _) => {
                if let Explains::Unreachable(reason) = fault.explains() {
                    exposure.everybody(world, step, Effect::NoVerdict(reasons(reason)));
                }
            }
            Fault::Outage(trouble) => exposure.everybody(world, step, trouble.effect(Call::User)),
            Fault::Dealt(dealt) => {
                // Were there no verdict for a while, the reason of one would be that of others.
                let all = dealt.iter().filter_map(|d| match d.trouble.effect(d.call) {
                    Effect::NoVerdict(reasons) => Some(reasons),
                    Effect::No(_) => None,
                });
                let all: BTreeSet<_> = all.flatten().copied().collect();
                for one in dealt {
                    for key in world.users_of(one.account) {
                        exposure.reasons.entry(key.clone()).or_default().extend(&all);
                        if let Effect::No(denial) = one.trouble.effect(one.call) {
                            let ready = world.expected_under(&key, Some(denial)).ready();
                            exposure.denied.entry(key).or_default().insert(ready);
                        }
                    }
                    let effect = one.trouble.effect(one.call);
                    exposure.shown.extend(one.shown_by.iter().map(|key| (key.clone(), effect)));
                }
            }
        }
        exposure
    }

    fn everybody(&mut self, world: &World, step: &Step, effect: Effect) {
        let Effect::NoVerdict(reasons) = effect else { return };
        for key in world.connections.keys() {
            self.reasons.entry(key.clone()).or_default().extend(reasons);
        }
        let asked = step.changes.iter().filter_map(|change| match change {
            Change::Ask(key) => Some(key),
            _ => None,
        });
        let alive = asked.filter(|key| matches!(world.token_of(key), Token::Live(_)));
        self.shown.extend(alive.map(|key| (key.clone(), effect)));
    }

    /// What may be seen of those whom it concerns, though nothing is done to them.
    pub(super) fn allowed(&self, world: &World) -> HashMap<Key, Allowed> {
        let keys: BTreeSet<_> = self.reasons.keys().chain(self.denied.keys()).cloned().collect();
        let of = |key: Key| {
            let mut ready: BTreeSet<_> = self.denied.get(&key).cloned().unwrap_or_default();
            if world.connections.get(&key).is_some_and(|c| c.graceless) {
                ready.extend(self.unknown(&key));
            }
            (key, Allowed { ready, users: BTreeSet::new(), writes: true })
        };
        keys.into_iter().map(of).collect()
    }

    /// Ready for the reasons for which a connection may not be reachable.
    pub(super) fn unknown(&self, key: &Key) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.reasons.get(key).into_iter().flatten().map(|reason| ("Unknown", *reason))
    }

    /// Whether anything has to be seen before the fault may end.
    pub(super) fn is_to_be_shown(&self) -> bool {
        !self.shown.is_empty()
    }

    /// The first that does not show the fault yet, and what it shows instead.
    ///
    /// # Errors
    /// Names it.
    pub(super) fn is_shown<'v>(
        &self,
        world: &World,
        status: impl Fn(&Key) -> Option<&'v Value>,
    ) -> Result<(), (Key, String)> {
        for (key, effect) in &self.shown {
            let Some(object) = status(key) else { return Err((key.clone(), "it is not there".to_owned())) };
            let status = &object["status"];
            let seen = match effect {
                Effect::NoVerdict(_) => {
                    let (reachable, reason) = is(status, "Reachable");
                    let explained = self.reasons.get(key).is_some_and(|all| all.contains(reason));
                    let stands = is(status, "Ready") == world.expected(key).ready();
                    let graceless = world.connections.get(key).is_some_and(|c| c.graceless);
                    reachable == "False" && explained && (stands || graceless)
                }
                Effect::No(denial) => {
                    let under = world.expected_under(key, Some(*denial));
                    is(status, denial.condition) == under.of(denial.condition)
                        && is(status, "Ready") == under.ready()
                }
            };
            if !seen {
                let (ready, reachable) = (is(status, "Ready"), is(status, "Reachable"));
                return Err((
                    key.clone(),
                    format!("{effect:?} is not seen: Ready {ready:?}, Reachable {reachable:?}"),
                ));
            }
        }
        Ok(())
    }
}

fn reasons(reason: &str) -> &'static [&'static str] {
    match reason {
        "TLSFailed" => &["TLSFailed"],
        // What hangs is reset when the silence ends.
        "TimedOut" => &["TimedOut", "ConnectFailed"],
        _ => &["ConnectFailed"],
    }
}
