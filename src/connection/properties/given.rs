//! What may happen to a connection: small enough to read when it is shrunk, wide enough to meet every branch.

use crate::{
    api::{
        AccessRef, ChannelRef, ClickUpConnectionSpec, ClickUpConnectionStatus, ConditionType, Duration,
        NodeRef, Reason, SecretKeyRef, SharedConnectionRef, SpaceRef, StandardRole, TaskRef, TokenType,
        WorkspaceRef,
    },
    clickup::{Answer, ErrorBody, Failure, Role, Unusable, Workspace},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use strum::VariantArray;

/// In every Secret's value that is long enough to be one: it must never be seen again.
pub(super) const SECRET: &str = "Zq7";

/// Things of ClickUp's, by id and name. Two of each share a name.
pub(super) type Pool = [(&'static str, &'static str); 3];
pub(super) const WORKSPACES: Pool = [
    ("700000000001", "Alderwood"),
    ("700000000002", "Birch\"\u{200b}wood"),
    ("700000000003", "Birch\"\u{200b}wood"),
];
pub(super) const CHANNELS: Pool =
    [("6-710001-8", "kanalrot"), ("6-710002-8", "kanalblau"), ("6-710003-8", "kanalblau")];
pub(super) const SPACES: Pool =
    [("720000000001", "Orchardspace"), ("720000000002", "Meadowspace"), ("720000000003", "Meadowspace")];
pub(super) const USER: (&str, &str) = ("730000000001", "Adalovelace");
/// In none of the pools.
const NOWHERE: (&str, &str) = ("799999999999", "Nowhere");

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// So many seconds go by; the operator wakes when it wants to.
    Wait(i64),
    /// So many seconds go by in which it is kept from waking.
    Stall(i64),
    Edit(Edit),
    Annotate(u8),
    /// One of the Secrets is edited: those that the spec may name, and the owner's.
    Secret(usize, Content),
    /// What becomes of the connection whose token may be used.
    Owner(Owner),
    /// The check under way ends, or the next one.
    Ends(Ending),
    /// It dies.
    Lost,
    /// It is held up, so many seconds by now.
    HeldUp(bool, i64),
    /// Others hold the token too: in their beat, after an outage, with news.
    Others {
        mins: u64,
        recovered: bool,
        news: bool,
    },
    /// The operator stops, and starts so many seconds later.
    Restart(i64),
    /// The next write of the status ends in a conflict.
    Conflict,
}

/// An edit of one field of the spec.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    Default(Option<WorkspaceRef>),
    Required(Vec<WorkspaceRef>),
    Channel(Option<ChannelRef>),
    Access(Vec<AccessRef>),
    Role(Option<StandardRole>),
    Interval(u64),
    Timeout(u64),
    Grace(u64),
    Suspend(bool),
    Binding(bool),
    Type(TokenType),
    /// The token is that of the n-th Secret, or another connection's.
    Source(Option<usize>),
    DisplayName(u8),
    /// It cannot be decoded, until the next edit.
    Undecodable,
}

/// What a Secret holds.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// There is none.
    Gone,
    /// It may not be read.
    Denied,
    /// The API server fails the read.
    Failing,
    /// Type, consent label, key, value.
    Value(String, Option<String>, String, Vec<u8>),
    /// Another version of the same.
    Touched,
}

/// The connection that shares its token, or does not.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    pub(super) shares: bool,
    pub(super) suspended: bool,
    pub(super) interval: u64,
    pub(super) kind: TokenType,
}

/// How a check ends.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    /// To `/user` and `/team`.
    pub(super) token: Said,
    pub(super) workspaces: Vec<Workspace>,
    /// To each call on an id, in turn.
    pub(super) nodes: Vec<Said>,
    /// Which of the pools' spaces and channels are listed.
    pub(super) listed: Vec<usize>,
    pub(super) limit: Option<u32>,
    /// By so many seconds older than its end.
    pub(super) age: i64,
    pub(super) reset: Option<i64>,
    pub(super) retry: Option<i64>,
}

/// What came back from a call.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Good,
    Error(u16, &'static str, bool),
    Unusable(Unusable),
    Failed(Failure),
    /// The check ended before it was asked.
    Nothing,
}

impl Said {
    pub(super) fn answer<T>(&self, value: T) -> Option<Answer<T>> {
        Some(match *self {
            Self::Good => Answer::Good(value),
            Self::Error(status, code, form) => {
                let code = Some(code.to_owned()).filter(|c| !c.is_empty());
                let body = ErrorBody { json: form || code.is_some(), v3: form, code, ..ErrorBody::default() };
                Answer::Error { status, body }
            }
            Self::Unusable(how) => Answer::Unusable(how),
            Self::Failed(why) => Answer::Failed(why),
            Self::Nothing => return None,
        })
    }
}

impl Edit {
    /// The spec with this edit; whether it can be understood then is seen when it is read.
    pub(super) fn apply(&self, spec: &mut ClickUpConnectionSpec) {
        match self.clone() {
            Self::Default(wanted) => spec.default_workspace = wanted.map(Into::into),
            Self::Required(wanted) => spec.required_workspaces = wanted,
            Self::Channel(wanted) => spec.channel = wanted.map(Into::into),
            Self::Access(wanted) => spec.access = wanted,
            Self::Role(wanted) => spec.minimum_role = wanted,
            Self::Interval(mins) => spec.interval = Duration::from_mins(mins),
            Self::Timeout(secs) => spec.timeout = Duration::from_secs(secs),
            Self::Grace(mins) => spec.outage_grace_period = Duration::from_mins(mins),
            Self::Suspend(wanted) => spec.suspend = wanted,
            Self::Binding(wanted) => spec.binding.enabled = wanted,
            Self::Type(wanted) => spec.token_type = wanted,
            Self::Source(Some(n)) => {
                spec.connection_ref = None;
                let name = if n == 0 { "s" } else { "t" };
                spec.token_secret_ref = Some(SecretKeyRef { name: name.into(), key: "token".into() });
            }
            Self::Source(None) => {
                let owner = SharedConnectionRef { namespace: "o".into(), name: "bot".into() };
                (spec.token_secret_ref, spec.connection_ref) = (None, Some(owner.into()));
                (spec.token_type, spec.binding.enabled) = (TokenType::Personal, false);
            }
            Self::DisplayName(n) => spec.display_name = Some(format!("name {n}")),
            Self::Undecodable => {}
        }
    }
}

fn in_pool(pool: Pool) -> impl Strategy<Value = (&'static str, &'static str)> {
    prop_oneof![5 => select(pool.to_vec()).boxed(), 1 => Just(NOWHERE).boxed()]
}

/// An id, or a name.
fn reference(pool: Pool) -> impl Strategy<Value = (Option<String>, Option<String>)> {
    (in_pool(pool), any::<bool>()).prop_map(|((id, name), by_id)| {
        if by_id { (Some(id.to_owned()), None) } else { (None, Some(name.to_owned())) }
    })
}

fn workspace() -> impl Strategy<Value = WorkspaceRef> {
    reference(WORKSPACES).prop_map(|(id, name)| WorkspaceRef { id, name })
}

fn access() -> impl Strategy<Value = AccessRef> {
    let none = AccessRef::default;
    prop_oneof![
        3 => reference(SPACES).prop_map(move |(id, name)| AccessRef { space: Some(SpaceRef { id, name }), ..none() }),
        1 => Just(AccessRef { folder: Some(NodeRef { id: "740000000001".into() }), ..none() }),
        1 => Just(AccessRef { list: Some(NodeRef { id: "740000000002".into() }), ..none() }),
        1 => Just(AccessRef { task: Some(TaskRef { id: "86a".into() }), ..none() }),
    ]
}

fn kind() -> impl Strategy<Value = TokenType> {
    prop_oneof![4 => Just(TokenType::Personal), 1 => Just(TokenType::OAuth)]
}

fn role() -> impl Strategy<Value = StandardRole> {
    use StandardRole::{Admin, Guest, Member, Owner};
    select(vec![Guest, Member, Admin, Owner])
}

pub(super) fn edit() -> impl Strategy<Value = Edit> {
    let channel = reference(CHANNELS).prop_map(|(id, name)| ChannelRef { id, name });
    prop_oneof![
        3 => option::of(workspace()).prop_map(Edit::Default),
        2 => vec(workspace(), 0..3).prop_map(Edit::Required),
        2 => option::of(channel).prop_map(Edit::Channel),
        2 => vec(access(), 0..3).prop_map(Edit::Access),
        1 => option::of(role()).prop_map(Edit::Role),
        1 => select(vec![1, 10, 11, 60, 1440]).prop_map(Edit::Interval),
        1 => select(vec![1, 30, 60, 90]).prop_map(Edit::Timeout),
        1 => select(vec![0, 1, 30, 1440]).prop_map(Edit::Grace),
        3 => any::<bool>().prop_map(Edit::Suspend),
        1 => any::<bool>().prop_map(Edit::Binding),
        1 => kind().prop_map(Edit::Type),
        2 => option::weighted(0.6, 0_usize..2).prop_map(Edit::Source),
        1 => any::<u8>().prop_map(Edit::DisplayName),
        1 => Just(Edit::Undecodable),
    ]
}

fn content() -> impl Strategy<Value = Content> {
    let value = |text: &str| Content::Value("Opaque".into(), None, "token".into(), text.into());
    let oauth = Content::Value("Opaque".into(), Some("OAuth".into()), "token".into(), b"Zq7oauth".into());
    let type_ =
        select(vec!["Opaque", "clickup-operator.dev/x", "servicebinding.io/x", "kubernetes.io/tls", ""]);
    let label = option::of(prop_oneof![Just("OAuth".to_owned()), ".{0,8}"]);
    let bytes = prop_oneof![
        vec(any::<u8>(), 0..12),
        "[ -~]{0,12}(\r?\n)?".prop_map(String::into_bytes),
        Just(vec![b'x'; 513]),
    ];
    let affixes = select(vec!["", "pk_", "Bearer ", "\"pk_", " pk_"]);
    let any_value =
        (affixes, bytes).prop_map(|(prefix, bytes)| [prefix.as_bytes(), SECRET.as_bytes(), &bytes].concat());
    let odd = (
        type_,
        label,
        select(vec!["token", "other"]),
        prop_oneof![9 => any_value, 1 => Just(b" \n".to_vec())],
    );
    prop_oneof![
        4 => Just(value("pk_101_Zq7ONE")),
        2 => Just(value("pk_102_Zq7TWO\n")),
        1 => Just(oauth),
        1 => Just(Content::Gone),
        1 => Just(Content::Denied),
        1 => Just(Content::Failing),
        2 => Just(Content::Touched),
        3 => odd.prop_map(|(type_, label, key, value)| Content::Value(type_.into(), label, key.into(), value)),
    ]
}

fn said() -> impl Strategy<Value = Said> {
    let status = select(vec![400_u16, 401, 403, 404, 429, 500, 503]);
    let code = select(vec![
        "",
        "OAUTH_017",
        "OAUTH_018",
        "OAUTH_019",
        "OAUTH_025",
        "OAUTH_027",
        "ACCESS_083",
        "ACCESS_999",
        "ITEM_013",
        "TEAM_110",
        "APP_002",
        "SHARD_001",
        "UNKNOWN_1",
    ]);
    use Unusable::{NotJson, Redirect, Status, TooLarge, Truncated, WrongShape};
    let unusable = select(vec![Redirect, Status, NotJson, WrongShape, TooLarge, Truncated]);
    let failed = select(vec![
        Failure::Connect("its name could not be resolved"),
        Failure::Tls("its certificate has expired"),
        Failure::TimedOut,
        Failure::Garbled("what came is not HTTP"),
    ]);
    prop_oneof![
        6 => Just(Said::Good),
        2 => (status, code, any::<bool>()).prop_map(|(status, code, form)| Said::Error(status, code, form)),
        2 => Just(Said::Error(401, "OAUTH_025", false)),
        1 => Just(Said::Error(429, "APP_002", false)),
        1 => unusable.prop_map(Said::Unusable),
        2 => failed.prop_map(Said::Failed),
        1 => Just(Said::Nothing),
    ]
}

fn seen_workspace() -> impl Strategy<Value = Workspace> {
    let role = prop_oneof![
        3 => role().prop_map(Role::Standard),
        1 => option::of(role()).prop_map(|inherits| Role::Custom { inherits }),
        1 => Just(Role::Unknown),
    ];
    (select(WORKSPACES.to_vec()), option::weighted(0.9, Just(())), option::weighted(0.9, role)).prop_map(
        |((id, name), named, role)| Workspace { id: id.into(), name: named.map(|()| name.into()), role },
    )
}

pub(super) fn ending() -> impl Strategy<Value = Ending> {
    let (reset, retry) = (option::of(1_i64..120), option::of(0_i64..60));
    let limit = option::of(select(vec![100, 1000]));
    (
        said(),
        vec(seen_workspace(), 0..4),
        vec(said(), 1..4),
        vec(0_usize..3, 0..4),
        limit,
        0_i64..40,
        reset,
        retry,
    )
        .prop_map(|(token, mut workspaces, nodes, listed, limit, age, reset, retry)| {
            workspaces.sort_by(|a, b| a.id.cmp(&b.id));
            workspaces.dedup_by(|a, b| a.id == b.id);
            Ending { token, workspaces, nodes, listed, limit, age, reset, retry }
        })
}

fn seconds() -> impl Strategy<Value = i64> {
    prop_oneof![0_i64..15, 15_i64..900, 900_i64..7_200, 7_200_i64..100_000]
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    let owner =
        (option::weighted(0.2, Just(())), option::weighted(0.2, Just(())), select(vec![1, 10, 60]), kind());
    let owner = owner.prop_map(|(no, suspended, interval, kind)| Owner {
        shares: no.is_none(),
        suspended: suspended.is_some(),
        interval,
        kind,
    });
    prop_oneof![
        4 => seconds().prop_map(Event::Wait),
        1 => seconds().prop_map(Event::Stall),
        4 => edit().prop_map(Event::Edit),
        1 => any::<u8>().prop_map(Event::Annotate),
        3 => (0_usize..3, content()).prop_map(|(slot, content)| Event::Secret(slot, content)),
        2 => owner.prop_map(Event::Owner),
        12 => ending().prop_map(Event::Ends),
        1 => Just(Event::Lost),
        2 => (any::<bool>(), seconds()).prop_map(|(by_reset, lasting)| Event::HeldUp(by_reset, lasting)),
        1 => (select(vec![1, 10, 60]), any::<bool>(), any::<bool>())
            .prop_map(|(mins, recovered, news)| Event::Others { mins, recovered, news }),
        2 => seconds().prop_map(Event::Restart),
        1 => Just(Event::Conflict),
    ]
}

/// A status that can be decoded, however it came about: written by a person, by another version, half restored.
pub(super) fn odd_status() -> impl Strategy<Value = ClickUpConnectionStatus> {
    let condition = (
        prop_oneof![9 => select(ConditionType::VARIANTS).prop_map(|c| c.to_string()), 1 => ".{0,6}"],
        prop_oneof![9 => select(vec!["True", "False", "Unknown"]).prop_map(str::to_owned), 1 => ".{0,6}"],
        prop_oneof![9 => select(Reason::VARIANTS).prop_map(|r| r.to_string()), 1 => ".{0,6}"],
        (
            prop_oneof![Just(String::new()), ".{0,6}", Just("漢".repeat(300))],
            option::of(-2_i64..4),
            -100_000_i64..100_000,
        ),
    );
    let condition = condition.prop_map(|(type_, status, reason, (message, generation, at))| {
        json!({"type": type_, "status": status, "reason": reason, "message": message,
            "observedGeneration": generation, "lastTransitionTime": time(at)})
    });
    let text = || option::of(".{0,6}");
    let named = || option::of(text().prop_map(|name| json!({"id": "700000000001", "name": name})));
    let observed = option::of(-2_i64..3);
    (vec(condition, 0..9), observed, text(), text(), (named(), named()), option::of(-100_000_i64..100_000))
        .prop_map(|(conditions, observed, version, handled, (default, channel), verified)| {
            // The API server keeps one of each type.
            let types: BTreeMap<_, _> = conditions.iter().map(|c: &Value| (c["type"].as_str(), c)).collect();
            let conditions: Vec<_> = types.into_values().collect();
            let status = json!({"observedGeneration": observed, "conditions": conditions,
                "user": version.as_ref().map(|id| json!({"id": id})), "workspaces": [{"id": "700000000009"}],
                "secretResourceVersion": version, "lastHandledReconcileAt": handled.map(|h| format!("at {h}")),
                "defaultWorkspace": default, "channel": channel, "lastVerifiedTime": verified.map(time)});
            serde_json::from_value(status).expect("a status")
        })
}

/// Seconds from the beginning of a history.
fn time(seconds: i64) -> Time {
    Time(super::world::start() + jiff::SignedDuration::from_secs(seconds))
}
