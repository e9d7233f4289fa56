//! Leader election: of several processes one holds a Lease, and only that one works. The shell; `election` decides.

mod election;
mod guard;
mod term;

#[cfg(test)]
mod tests;

pub use election::Loss;
pub use guard::WriteGuard;
pub use term::{Term, TermOver};

use super::{ApiError, MANAGER, pod_name, watches};
use crate::api;
use election::{Answer, Election, Move, Record, Shown};
use futures::{Stream, StreamExt};
use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;
use std::{
    pin::pin,
    time::{Duration, Instant},
};
use term::Moment;
use tokio::{sync::watch, time::timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::{info, warn};

/// How long the Lease may take to be given back at the end of the process. Who waits takes it anyway, later.
const RESIGN_TIMEOUT: Duration = Duration::from_millis(500);

/// Which Lease decides.
#[derive(Clone, Debug)]
pub struct LeaseOptions {
    /// Its name.
    pub name: String,
    /// Where it is; left out, in the namespace of the Pod.
    pub namespace: Option<String>,
    /// For how long it is its holder's without being renewed; whole seconds, three at least.
    pub duration: api::Duration,
}

/// What a process knows of its candidacy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It does not know who leads.
    Uninformed,
    /// It waits for its turn.
    Standby,
    Leader,
}

/// A process that stands for election, for as long as this is held.
pub struct Candidacy {
    term: Term,
    standing: watch::Receiver<Standing>,
    resigns: CancellationToken,
    campaign: AbortOnDropHandle<Loss>,
}

impl Candidacy {
    /// Begins to stand. The client must be one without a [`WriteGuard`], and better is one of its own: what others send
    /// must not hold up a renewal.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn stand(client: Client, options: LeaseOptions) -> Result<Self, ring::error::Unspecified> {
        let (told, standing) = watch::channel(Standing::Uninformed);
        let (term, resigns) = (Term::not_begun(), CancellationToken::new());
        let namespace = options.namespace.or_else(|| std::env::var("POD_NAMESPACE").ok());
        let namespace = namespace.unwrap_or_else(|| client.default_namespace().to_owned());
        let campaign = Campaign {
            api: Api::namespaced(client, &namespace),
            me: identity()?,
            namespace,
            name: options.name,
            seconds: i32::try_from(options.duration.as_secs()).unwrap_or(i32::MAX),
            term: term.clone(),
            told,
            resigns: resigns.clone(),
        };
        let campaign = AbortOnDropHandle::new(tokio::spawn(campaign.run(options.duration.into())));
        Ok(Self { term, standing, resigns, campaign })
    }

    /// When this process may write.
    pub fn term(&self) -> Term {
        self.term.clone()
    }

    /// Waits until it is known who leads: from then on this process can take over.
    ///
    /// # Errors
    /// It cannot stand any more.
    pub async fn informed(&mut self) -> Result<(), Loss> {
        self.until(|standing| standing != Standing::Uninformed).await
    }

    /// Waits until this process leads.
    ///
    /// # Errors
    /// It cannot stand any more.
    pub async fn elected(&mut self) -> Result<(), Loss> {
        self.until(|standing| standing == Standing::Leader).await
    }

    /// Waits until it leads no more.
    pub async fn lost(&mut self) -> Loss {
        (&mut self.campaign).await.unwrap_or(Loss::Ended)
    }

    /// Gives the Lease back, if it is held, so that another takes it at once.
    pub async fn resign(mut self) {
        self.resigns.cancel();
        if timeout(RESIGN_TIMEOUT, &mut self.campaign).await.is_err() {
            warn!(
                "the Lease could not be given back in time: another process takes over when it has run out"
            );
        }
    }

    async fn until(&mut self, reached: impl Fn(Standing) -> bool) -> Result<(), Loss> {
        let is_reached = self.standing.wait_for(|standing| reached(*standing)).await.is_ok();
        if is_reached { Ok(()) } else { Err(self.lost().await) }
    }
}

/// A name that no other process has, also not this Pod's container after a restart.
fn identity() -> Result<String, ring::error::Unspecified> {
    let suffix: [u8; 8] = ring::rand::generate(&ring::rand::SystemRandom::new())?.expose();
    Ok(format!("{}_{:016x}", pod_name().as_deref().unwrap_or(MANAGER), u64::from_be_bytes(suffix)))
}

struct Campaign {
    api: Api<Lease>,
    me: String,
    namespace: String,
    name: String,
    seconds: i32,
    term: Term,
    told: watch::Sender<Standing>,
    resigns: CancellationToken,
}

impl Campaign {
    /// Runs until the Lease is lost, or given back.
    async fn run(self, duration: Duration) -> Loss {
        let mut election = Election::new(self.me.clone(), duration);
        let mut shown = pin!(self.watch());
        let mut failing = false;
        info!(lease = self.name, namespace = self.namespace, identity = self.me, "standing for election");
        loop {
            let now = Moment::now();
            let (sent, answer) = match election.next(now) {
                Move::Wait(until) => {
                    tokio::select! {
                        biased;
                        () = self.resigns.cancelled() => return self.resign(&election).await,
                        () = reached(until) => {}
                        event = shown.next() => if let Some(event) = event {
                            election.shown(event, Instant::now());
                        },
                    }
                    self.tell(&election);
                    continue;
                }
                Move::StepDown(loss) => {
                    self.term.extend(None);
                    return loss;
                }
                Move::Create => (now, timeout(election.attempt(), self.create()).await),
                Move::Take(seen) => (now, timeout(election.attempt(), self.hold(&seen, true)).await),
                Move::Renew(held) => (now, timeout(election.attempt(), self.hold(&held, false)).await),
            };
            let answer = answer.map_err(ApiError::from).and_then(|answer| answer.map_err(ApiError::from));
            // That another was faster, or that the Lease is gone, is no failure.
            let failed = answer
                .as_ref()
                .err()
                .filter(|e| e.code() != Some(409) && !(e.code() == Some(404) && election.holder().is_some()));
            if let (Some(error), false) = (failed, failing) {
                warn!(lease = self.name, namespace = self.namespace, %error, "the Lease cannot be written: it is tried again");
            }
            failing = failed.is_some();
            election.answered(sent, read(answer), Instant::now());
            self.term.extend(election.tenure());
            self.tell(&election);
        }
    }

    /// The Lease, as a watch shows it.
    fn watch(&self) -> impl Stream<Item = Shown> + use<> {
        let config =
            watcher::Config::default().fields(&format!("metadata.name={}", self.name)).streaming_lists();
        let (mut failing, mut listed) = (false, false);
        let name = self.name.clone();
        watcher(self.api.clone(), config).backoff(watches::backoff()).filter_map(move |event| {
            let shown = match event {
                Ok(event) => {
                    failing = false;
                    shown(event, &mut listed)
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        let error = watches::watch_error(&error);
                        warn!(lease = name, error, "the watch of the Lease fails: it is tried again");
                    }
                    None
                }
            };
            std::future::ready(shown)
        })
    }

    fn tell(&self, election: &Election) {
        let standing = match (election.tenure(), election.is_informed()) {
            (Some(_), _) => Standing::Leader,
            (None, true) => Standing::Standby,
            (None, false) => Standing::Uninformed,
        };
        let changed = self.told.send_if_modified(|told| std::mem::replace(told, standing) != standing);
        match standing {
            Standing::Leader if changed => info!(identity = self.me, "elected: this process leads"),
            Standing::Standby if changed => {
                info!(identity = self.me, holder = election.holder(), "standing by until the Lease is free");
            }
            _ => {}
        }
    }

    async fn create(&self) -> kube::Result<Lease> {
        let now = MicroTime(Timestamp::now());
        let lease = Lease {
            metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.me.clone()),
                lease_duration_seconds: Some(self.seconds),
                acquire_time: Some(now.clone()),
                renew_time: Some(now),
                lease_transitions: Some(0),
                ..LeaseSpec::default()
            }),
        };
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        self.api.create(&params, &lease).await
    }

    /// Writes that this process holds the Lease, over the version that was seen; or that it holds it still.
    async fn hold(&self, seen: &Record, anew: bool) -> kube::Result<Lease> {
        let now = MicroTime(Timestamp::now());
        let mut spec = json!({"renewTime": now, "leaseDurationSeconds": self.seconds});
        if anew {
            spec["holderIdentity"] = json!(self.me);
            spec["acquireTime"] = json!(now);
            spec["leaseTransitions"] = json!(seen.transitions.saturating_add(1));
        }
        self.patch(seen, spec).await
    }

    async fn patch(&self, seen: &Record, spec: serde_json::Value) -> kube::Result<Lease> {
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let patch = Patch::Merge(json!({"metadata": {"resourceVersion": seen.version}, "spec": spec}));
        self.api.patch(&self.name, &params, &patch).await
    }

    async fn resign(&self, election: &Election) -> Loss {
        self.term.extend(None);
        if let Some(held) = election.held() {
            let spec = json!({"holderIdentity": null, "renewTime": MicroTime(Timestamp::now())});
            match self.patch(held, spec).await.map_err(ApiError::from) {
                Ok(_) => info!(lease = self.name, "the Lease is given back"),
                Err(error) => warn!(lease = self.name, %error, "the Lease could not be given back"),
            }
        }
        Loss::Ended
    }
}

async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

/// What an event of the watch shows; `listed` remembers whether the list under way has shown the Lease.
fn shown(event: watcher::Event<Lease>, listed: &mut bool) -> Option<Shown> {
    match event {
        watcher::Event::Init => *listed = false,
        watcher::Event::InitApply(lease) => {
            *listed = true;
            return Some(Shown::There(lease.into()));
        }
        watcher::Event::InitDone if *listed => {}
        watcher::Event::InitDone => return Some(Shown::NoneYet),
        watcher::Event::Apply(lease) => return Some(Shown::There(lease.into())),
        watcher::Event::Delete(lease) => return Some(Shown::Deleted(lease.into())),
    }
    None
}

fn read(answer: Result<Lease, ApiError>) -> Answer {
    match answer {
        Ok(lease) => Answer::Written(lease.into()),
        Err(error) if error.code() == Some(409) => Answer::Conflict,
        Err(error) if error.code() == Some(404) => Answer::NotFound,
        Err(_) => Answer::Failed,
    }
}
