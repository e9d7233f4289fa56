//! A connection to which things happen, driven as the shell drives it: passes, wakes, failed reads, conflicts, restarts.

use super::{
    given::{self, Content, Edit, Ending, Event, Owner, Said},
    rules::{Model, Pass},
};
use crate::{
    api::{
        ClickUpConnectionSpec, ClickUpConnectionStatus, Duration, RECONCILE_REQUESTED_AT, Reason,
        SecretKeyRef, StoredConnection, TokenType,
    },
    clickup::{
        Identity, Named, NoVerdict, NodeVerdict, TokenKey, TokenKeys, TokenVerdict, User, Workspace,
        judge_node, judge_token,
    },
    connection::{
        Answers, Beat, CheckOutcome, CheckRequest, Common, Held, Judgement, Listed, Recovery, SecretContent,
        Session, StatusOptions, Step, TokenHistory, TokenProblem, TokenReading, TokenSource, Topic, Verdict,
        resolve, token_of, topics,
    },
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};
use zeroize::Zeroizing;

static KEYS: LazyLock<TokenKeys> = LazyLock::new(|| TokenKeys::generate().unwrap());
const OPTIONS: StatusOptions = StatusOptions { username: false, heartbeat: SignedDuration::from_hours(1) };

/// How many wakes one wait sees: then time stands still, so that no wake is ever missed.
const WAKES: usize = 8;

/// The Secret of the connection whose token may be used; the others are `s` and `t` in the connection's own namespace.
const OWNERS: usize = 2;

pub(super) fn start() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// What the shell keeps about a token while a connection holds it.
struct Holding {
    key: TokenKey,
    history: TokenHistory,
    common: Common,
}

pub(super) struct World {
    pub(super) spec: ClickUpConnectionSpec,
    undecodable: bool,
    pub(super) generation: i64,
    requested: Option<String>,
    pub(super) status: Option<ClickUpConnectionStatus>,
    secrets: [(Content, u32); 3],
    /// The version that was given last: no two Secrets have the same.
    version: u32,
    /// Whether there is a watch of Secrets.
    watched: bool,
    pub(super) owner: Owner,
    /// The owner's Secret: as it was read last, as the owner's status names it, and as that did when the process began.
    read: Option<String>,
    owners_version: Option<String>,
    recalled: Option<String>,
    pub(super) session: Session,
    pub(super) check: Option<CheckRequest>,
    began: Timestamp,
    ended: Option<CheckOutcome>,
    lost: bool,
    /// Since when it is held up so, and for how long the budget held it up before.
    held: Option<(Held, Timestamp)>,
    holding: Option<Holding>,
    pub(super) wake: Option<Timestamp>,
    pub(super) now: Timestamp,
    conflict: bool,
    /// How many Secrets were read, and checks begun.
    work: (u32, u32),
    model: Model,
}

impl World {
    pub(super) fn new(edits: &[Edit], status: Option<ClickUpConnectionStatus>, watched: bool) -> Self {
        let mut spec: ClickUpConnectionSpec =
            serde_json::from_value(serde_json::json!({"tokenSecretRef": {"name": "s"}})).unwrap();
        edits.iter().for_each(|edit| edit.apply(&mut spec));
        let secret = |(value, version): (&str, u32)| {
            (Content::Value("Opaque".into(), None, "token".into(), value.into()), version)
        };
        let now = start();
        let mut world = Self {
            spec,
            undecodable: false,
            generation: 1,
            requested: None,
            session: Session::recall(
                &StoredConnection { metadata: ObjectMeta::default(), spec: Err(String::new()), status: None },
                now,
            ),
            model: Model::new(status.is_none(), now),
            status,
            secrets: [("pk_101_Zq7ONE", 8), ("pk_102_Zq7TWO", 9), ("pk_103_Zq7OWN", 10)].map(secret),
            version: 10,
            watched,
            owner: Owner { shares: true, suspended: false, interval: 10, kind: TokenType::Personal },
            read: None,
            owners_version: None,
            recalled: None,
            check: None,
            began: now,
            ended: None,
            lost: false,
            held: None,
            holding: None,
            wake: None,
            now,
            conflict: false,
            work: (0, 0),
        };
        world.session = Session::recall(&world.stored(), now);
        world
    }

    pub(super) fn stored(&self) -> StoredConnection {
        let annotation = |value: &String| [(RECONCILE_REQUESTED_AT.to_owned(), value.clone())].into();
        let metadata = ObjectMeta {
            name: Some("a".into()),
            namespace: Some("n".into()),
            uid: Some("u".into()),
            generation: Some(self.generation),
            annotations: self.requested.as_ref().map(annotation),
            ..ObjectMeta::default()
        };
        let spec = match self.spec.validate() {
            _ if self.undecodable => Err("spec.interval: \"soon\" is not a duration".into()),
            Err(broken) => Err(broken.to_string()),
            Ok(()) => Ok(self.spec.clone()),
        };
        StoredConnection { metadata, spec, status: self.status.clone() }
    }

    pub(super) fn refers(&self) -> bool {
        self.spec.connection_ref.is_some()
    }

    pub(super) fn suspended(&self) -> bool {
        self.spec.suspend || (self.refers() && self.owner.suspended)
    }

    pub(super) fn interval(&self) -> Duration {
        let lent = Duration::from_mins(if self.refers() { self.owner.interval } else { 0 });
        self.spec.interval.max(lent)
    }

    /// The token at hand.
    pub(super) fn key(&self) -> Option<TokenKey> {
        self.session.holds(self.status.as_ref()).map(|(key, _)| key)
    }

    /// For how long the check under way is held up.
    pub(super) fn held(&self) -> Option<Held> {
        self.held.map(|(held, since)| {
            let more = if held.by_reset { SignedDuration::ZERO } else { self.now.duration_since(since) };
            Held { lasting: held.lasting + more, ..held }
        })
    }

    fn slot(&self) -> Option<usize> {
        match &self.spec.token_secret_ref {
            _ if self.refers() => Some(OWNERS),
            Some(secret) => Some(usize::from(secret.name == "t")),
            None => None,
        }
    }

    pub(super) fn happens(&mut self, event: &Event) -> Result<(), TestCaseError> {
        let seconds = SignedDuration::from_secs;
        match event {
            Event::Wait(lasting) => return self.wait(*lasting),
            Event::Stall(lasting) => self.now += seconds(*lasting),
            Event::Edit(edit) => {
                edit.apply(&mut self.spec);
                self.undecodable = matches!(edit, Edit::Undecodable);
                self.generation += 1;
            }
            Event::Annotate(n) => self.requested = Some(format!("at {n}")),
            Event::Secret(slot, content) => {
                let (kept, version) = &mut self.secrets[*slot];
                if !matches!(content, Content::Touched) {
                    *kept = content.clone();
                }
                self.version += 1;
                *version = self.version;
            }
            Event::Owner(owner) => self.owner = owner.clone(),
            Event::Ends(ending) => return self.ends(ending),
            Event::Lost => self.lost = self.session.awaits_check(),
            Event::HeldUp(by_reset, lasting) => {
                if self.session.awaits_check() {
                    let before = self.held().map_or(SignedDuration::ZERO, |held| held.lasting);
                    self.held = Some((Held { by_reset: *by_reset, lasting: before }, self.now));
                    return self.wait(*lasting);
                }
            }
            Event::Others { mins, recovered, news } => {
                let now = self.now;
                if let Some(Holding { common, .. }) = &mut self.holding {
                    let period = Duration::from_mins(*mins).min(self.spec.interval);
                    common.beat = Some(Beat::of(period, "t"));
                    if *recovered {
                        common.recovery = Some(Recovery { since: now, retry_at: now + seconds(7) });
                    }
                    if *news {
                        common.news_at = Some(now - seconds(1));
                    }
                }
            }
            Event::Restart(down) => {
                self.now += seconds(*down);
                self.session = Session::recall(&self.stored(), self.now);
                self.recalled.clone_from(&self.owners_version);
                (self.check, self.ended, self.lost, self.held, self.holding) =
                    (None, None, false, None, None);
                self.model.restarted(self.now);
            }
            Event::Conflict => self.conflict = true,
        }
        self.pass()
    }

    /// Time goes by; the operator is woken when it wanted to be.
    fn wait(&mut self, lasting: i64) -> Result<(), TestCaseError> {
        let until = self.now + SignedDuration::from_secs(lasting);
        for _ in 0..WAKES {
            match self.wake.filter(|at| *at <= until) {
                Some(at) => self.now = at.max(self.now),
                None => break,
            }
            self.pass()?;
        }
        self.now = until.min(self.wake.unwrap_or(until)).max(self.now);
        self.pass()
    }

    /// The check under way ends so, or the next one.
    pub(super) fn ends(&mut self, ending: &Ending) -> Result<(), TestCaseError> {
        for _ in 0..WAKES {
            if self.session.awaits_check() {
                break;
            }
            let Some(at) = self.wake else { break };
            self.now = at.max(self.now);
            self.pass()?;
        }
        let check = self.check.clone().filter(|_| self.session.awaits_check());
        self.ended = check.map(|check| self.outcome(check, ending));
        self.pass()
    }

    fn outcome(&mut self, check: CheckRequest, ending: &Ending) -> CheckOutcome {
        let Ending { token, workspaces, nodes, listed, limit, age, reset, retry } = ending;
        let now = self.now;
        let held = self.held().map_or(SignedDuration::ZERO, |held| held.lasting);
        self.held = None;
        let CheckRequest { key, demand, requested_at, not_before, .. } = check;
        let holding = self.holding.as_mut().expect("a token that is checked is held");
        let reset = reset.map(SignedDuration::from_secs);
        let user = User { id: given::USER.0.into(), name: Some(given::USER.1.into()) };
        let identity = Arc::new(Identity { user, workspaces: workspaces.clone() });
        let said = token.answer(identity).map(|answer| judge_token(answer, reset));
        let said = match said.unwrap_or_else(|| TokenVerdict::NoVerdict(NoVerdict::timed_out())) {
            TokenVerdict::NoVerdict(no) => TokenVerdict::NoVerdict(until_reset(no)),
            verdict => verdict,
        };
        let verdict = match holding.history.judge(said, now, key.spread()) {
            Judgement::Valid(identity) => {
                let answers = Box::new(answers(&demand, workspaces, nodes, listed, reset));
                Verdict::Valid { identity, answers }
            }
            Judgement::Rejected => Verdict::Rejected,
            Judgement::RejectedOnce(no) => Verdict::RejectedOnce(no),
            Judgement::Suspect { again_at } => Verdict::Suspect { again_at },
            Judgement::NoVerdict(no) => Verdict::NoVerdict(no),
        };
        let recent =
            (now - SignedDuration::from_secs(*age)).max(holding.common.news_at.unwrap_or(Timestamp::MIN));
        let mut outcome = CheckOutcome {
            key,
            demand,
            requested_at,
            verdict,
            rate_limit: *limit,
            held,
            asked: not_before.max(recent).min(now),
            retry_at: None,
            ended: now,
        };
        outcome.retry_at =
            outcome.no_verdict().and(*retry).map(|after| now + SignedDuration::from_secs(after));
        outcome
    }

    /// One pass, and what must hold after it.
    pub(super) fn pass(&mut self) -> Result<(), TestCaseError> {
        let before = self.status.clone();
        let (reads, begun) = self.work;
        let ended = self.ended.clone();
        let settled = self.try_pass();
        if !settled {
            // It is tried again soon.
            self.wake = Some(self.now + SignedDuration::from_secs(1));
        }
        let pass = Pass { before, ended, settled, reads: self.work.0 - reads, begun: self.work.1 - begun };
        let mut model = std::mem::replace(&mut self.model, Model::new(false, self.now));
        let kept = model.check(self, &pass);
        self.model = model;
        kept
    }

    /// What happens once may not happen twice: nothing is written or begun when nothing has changed.
    pub(super) fn pass_again(&mut self) -> Result<(), TestCaseError> {
        // A failed pass is made up for, and a conflict is over.
        for _ in 0..3 {
            self.conflict = false;
            self.pass()?;
        }
        let (before, work, wake) = (self.status.clone(), self.work.1, self.wake);
        self.pass()?;
        prop_assert_eq!(&self.status, &before, "a second pass writes");
        prop_assert_eq!(self.work.1, work, "a second pass begins a check");
        prop_assert_eq!(self.wake, wake, "a second pass wakes at another time");
        Ok(())
    }

    /// As the shell makes it. False where a read or the write failed.
    fn try_pass(&mut self) -> bool {
        let (stored, status) = (self.stored(), self.status.clone());
        match &stored.spec {
            Ok(spec) => {
                if !self.observe(&stored, spec, status.as_ref()) {
                    return false;
                }
            }
            Err(_) => {
                (self.check, self.ended, self.holding) = (None, None, None);
                self.session.void(self.now);
            }
        }
        let next = self.session.status(&stored, status.as_ref(), OPTIONS, self.now);
        if let Some(next) = next.filter(|next| Some(next) != status.as_ref()) {
            if std::mem::take(&mut self.conflict) {
                return false;
            }
            self.status = Some(next);
        }
        self.session.acknowledge();
        if !self.session.awaits_check() {
            (self.check, self.held) = (None, None);
            // Of those who share a token, all have written what they found.
            self.owners_version.clone_from(&self.read);
        }
        let spec = stored.spec.as_ref().ok();
        self.wake = spec.and_then(|spec| self.session.next_wake(spec, self.status.as_ref(), self.now));
        true
    }

    fn observe(
        &mut self,
        stored: &StoredConnection,
        spec: &ClickUpConnectionSpec,
        status: Option<&ClickUpConnectionStatus>,
    ) -> bool {
        let now = self.now;
        let source = if self.refers() { self.lent() } else { TokenSource::own("n", spec) };
        if source.is_none() {
            self.holding = None;
        }
        self.session.notice(stored, spec, source, status, now);
        if let Some((content, version)) = self.slot().filter(|_| self.watched).map(|slot| &self.secrets[slot])
        {
            let version = (!matches!(content, Content::Gone)).then(|| version.to_string());
            self.session.secret_seen(version.as_deref(), status);
        }
        if let Some(holding) = &self.holding {
            self.session.follow(holding.common, now);
            if self.check.is_some() {
                self.session.check_runs(self.began, self.held());
            }
        }
        if let Some(outcome) = self.ended.take().filter(|_| self.check.is_some()) {
            self.session.check_ended(outcome);
        } else if std::mem::take(&mut self.lost) && self.check.is_some() {
            self.session.check_lost(now);
        }
        loop {
            match self.session.step(spec, status, now) {
                Step::Settle => return true,
                Step::ReadToken { .. } => {
                    let Some(reading) = self.session.token_source().cloned().and_then(|s| self.read(&s))
                    else {
                        return false;
                    };
                    self.session.token_read(reading, status, now);
                    let Some((key, good)) = self.session.holds(status) else {
                        self.holding = None;
                        continue;
                    };
                    if self.holding.as_ref().is_none_or(|held| held.key != key) {
                        let history = if good { TokenHistory::Good } else { TokenHistory::Unknown };
                        let beat = Some(Beat::of(self.interval(), "u"));
                        let common = Common { beat, ..Common::default() };
                        self.holding = Some(Holding { key, history, common });
                        self.session.follow(common, now);
                    }
                }
                Step::Check(request) => {
                    if self.holding.is_none() {
                        return true;
                    }
                    self.session.check_began(&request, now);
                    (self.check, self.began, self.held) = (Some(*request), now, None);
                    self.work.1 += 1;
                    return true;
                }
            }
        }
    }

    fn lent(&self) -> Option<TokenSource> {
        let Owner { shares, suspended, interval, kind } = self.owner;
        let mut owner = self.spec.clone();
        owner.token_secret_ref = Some(SecretKeyRef { name: "o".into(), key: "token".into() });
        (owner.suspend, owner.interval, owner.token_type) = (suspended, Duration::from_mins(interval), kind);
        TokenSource::lent("o", &owner, self.recalled.clone()).filter(|_| shares)
    }

    /// Reads a Secret; nothing where the API server fails that.
    fn read(&mut self, source: &TokenSource) -> Option<TokenReading> {
        self.work.0 += 1;
        let TokenSource { secret: source, token_type, .. } = source;
        let (content, version) = &self.secrets[["s", "t", "o"].iter().position(|n| **n == source.name)?];
        let unavailable = |problem| Some(TokenReading::Unavailable { problem, version: None });
        let version = version.to_string();
        let secret = match content {
            Content::Failing | Content::Touched => return None,
            Content::Gone => return unavailable(TokenProblem::secret_not_found(source)),
            Content::Denied => return unavailable(TokenProblem::access_denied(source)),
            Content::Value(type_, label, key, value) => SecretContent {
                type_: type_.clone(),
                token_type_label: label.clone(),
                data: [(key.clone(), Zeroizing::new(value.clone()))].into(),
            },
        };
        if source.name == "o" {
            self.read = Some(version.clone());
        }
        Some(match token_of(&secret, source, *token_type) {
            Ok(token) => TokenReading::Found { key: KEYS.key(&token), token: Arc::new(token), version },
            Err(problem) => TokenReading::Unavailable { problem, version: Some(version) },
        })
    }

    /// All faults end: what is left to do is done, and every check ends well.
    pub(super) fn heals(&mut self, healthy: &Ending) -> Result<(), TestCaseError> {
        (self.undecodable, self.conflict, self.lost, self.held) = (false, false, false, None);
        (self.spec.suspend, self.spec.interval) = (false, Duration::from_mins(10));
        (self.spec.timeout, self.spec.outage_grace_period) =
            (Duration::from_secs(30), Duration::from_mins(30));
        self.owner = Owner { shares: true, suspended: false, interval: 10, kind: TokenType::Personal };
        if self.refers() {
            (self.spec.token_type, self.spec.binding.enabled) = (TokenType::Personal, false);
        }
        let (label, value) = match self.spec.token_type {
            TokenType::Personal => (None, "pk_104_Zq7NEW"),
            TokenType::OAuth => (Some("OAuth".to_owned()), "Zq7new"),
        };
        for (content, version) in &mut self.secrets {
            *content = Content::Value("Opaque".into(), label.clone(), "token".into(), value.into());
            self.version += 1;
            *version = self.version;
        }
        self.generation += 1;
        self.requested = Some("healed".into());
        self.pass()?;
        for _ in 0..2 * WAKES {
            self.ends(healthy)?;
            let handled = self.status.as_ref().and_then(|s| s.last_handled_reconcile_at.as_deref());
            if handled == Some("healed") && self.check.is_none() {
                return Ok(());
            }
        }
        prop_assert!(false, "it never comes to a verdict: {:?}, {:?}", self.check, self.session);
        Ok(())
    }

    /// The same object and Secrets, before anything has happened to them.
    pub(super) fn afresh(&self) -> Self {
        let mut fresh = Self::new(&[], None, self.watched);
        (fresh.spec, fresh.generation, fresh.secrets) =
            (self.spec.clone(), self.generation, self.secrets.clone());
        fresh.owner = self.owner.clone();
        fresh.session = Session::recall(&fresh.stored(), fresh.now);
        fresh
    }
}

/// As the shell tells it: with a time.
fn until_reset(no: NoVerdict) -> NoVerdict {
    match no.reason {
        Reason::RateLimited => NoVerdict::rate_limited(no.reset_in.or(Some(SignedDuration::from_secs(60)))),
        _ => no,
    }
}

fn answers(
    demand: &crate::connection::Demand,
    workspaces: &[Workspace],
    nodes: &[Said],
    listed: &[usize],
    reset: Option<SignedDuration>,
) -> Answers {
    let mut answers = Answers::default();
    let asked = topics(demand, &resolve(demand, workspaces));
    for (of, said) in asked.into_iter().zip(nodes.iter().cycle()) {
        let pool = if matches!(of.topic, Topic::Channels(_)) { given::CHANNELS } else { given::SPACES };
        let named = |n: &usize| Named { id: pool[*n].0.into(), name: Some(pool[*n].1.into()) };
        let mut list: Vec<_> = listed.iter().map(named).collect();
        Named::sort(&mut list);
        let Some(answer) = said.answer(Some(Listed::from(list))) else { continue };
        answers.insert(
            of,
            match judge_node(answer, reset) {
                NodeVerdict::NoVerdict(no) => NodeVerdict::NoVerdict(until_reset(no)),
                verdict => verdict,
            },
        );
    }
    answers
}
