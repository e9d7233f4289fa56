//! The faults of a cluster, and of the way to ClickUp.

use std::fmt;

/// What can happen to the cluster, to the operator, or between the operator and ClickUp.
///
/// What the simulated ClickUp answers is not among them: the simulator has faults of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClusterFault {
    /// Each request to the API server takes 700 ms longer.
    ApiSlow,
    /// The API server takes requests and answers none; running watches tell nothing.
    ApiFrozen,
    /// The API server refuses every request.
    ApiRefuses(Refusal),
    /// The API server refuses every write, and answers reads.
    ApiRefusesWrites(Refusal),
    /// What watches have seen is forgotten time and again: running ones end with an ERROR event 410, as do those that
    /// would go on where another ended; new ones come as far as three seconds.
    WatchesGone,
    /// Running watches end with an ERROR event 410, and each that begins is answered with HTTP 410.
    WatchStartsGone,
    /// Watches end after two seconds, as they do in peace after some minutes.
    WatchesClosed,
    /// Each connection is sent a GOAWAY after a second, or, of HTTP/1.1, which kube's client speaks, closed after the
    /// answer that is under way.
    GoAway,
    /// Each connection is reset after two seconds, with all that runs on it.
    ConnectionsReset,
    /// Every other answer breaks off in its middle.
    AnswersCut,
    /// Every other status write is carried out, but the connection is reset instead of an answer.
    AnswersLost,
    /// The API server is killed, and comes back with its etcd.
    ApiServerKilled,
    /// The API server's process is stopped (SIGSTOP), and goes on.
    ApiServerStopped,
    /// etcd is killed, and comes back with its data.
    EtcdRestarted,
    /// The operator is killed, and started again.
    OperatorKilled,
    /// The operator is asked to end, and started again.
    OperatorTerminated,
    /// The operator is killed at the nth write from now on, and started again.
    OperatorKilledAtWrite {
        /// Which write, from 0.
        nth: usize,
        /// Before it is carried out, else after that and before the answer.
        before: bool,
    },
    /// ClickUp's name cannot be resolved. The operator is started anew with another name, and again with the true one.
    DnsFails,
    /// ClickUp presents a certificate that must not be trusted.
    TlsFails(BadCertificate),
    /// ClickUp's port refuses connections.
    ClickUpRefuses,
    /// ClickUp takes connections and resets them.
    ClickUpResets,
    /// ClickUp takes connections and says nothing.
    ClickUpSilent,
}

/// How the API server refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// 429, with `Retry-After: 1`.
    TooManyRequests,
    /// 503.
    Unavailable,
}

/// A certificate that must not be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BadCertificate {
    /// Its time is over.
    Expired,
    /// For another host.
    WrongHost,
    /// By an authority that nobody trusts.
    UnknownAuthority,
}

/// What may be seen in the statuses while a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explains {
    /// Nothing: the right status comes, perhaps some seconds later.
    Delay,
    /// A status that stands still, as old as the fault, and is right some time after.
    StandStill,
    /// `Reachable` False for this reason on whatever is checked meanwhile, with what follows from it for `Ready`.
    Unreachable(&'static str),
}

impl ClusterFault {
    /// One of each kind; of those that the operator is killed at, the first write, before and after.
    pub fn all() -> Vec<ClusterFault> {
        use ClusterFault::*;
        let mut all = vec![ApiSlow, ApiFrozen];
        all.extend([Refusal::TooManyRequests, Refusal::Unavailable].map(ApiRefuses));
        all.extend([Refusal::TooManyRequests, Refusal::Unavailable].map(ApiRefusesWrites));
        all.extend([WatchesGone, WatchStartsGone, WatchesClosed, GoAway, ConnectionsReset]);
        all.extend([AnswersCut, AnswersLost, ApiServerKilled, ApiServerStopped, EtcdRestarted]);
        all.extend([OperatorKilled, OperatorTerminated]);
        all.extend([true, false].map(|before| OperatorKilledAtWrite { nth: 0, before }));
        all.push(DnsFails);
        all.extend(BadCertificate::ALL.map(TlsFails));
        all.extend([ClickUpRefuses, ClickUpResets, ClickUpSilent]);
        all
    }

    /// What may be seen in the statuses between [`Cluster::begin`](super::Cluster::begin) and
    /// [`Cluster::end`](super::Cluster::end).
    pub fn explains(&self) -> Explains {
        use ClusterFault::*;
        match self {
            ApiSlow | WatchesClosed | GoAway | ConnectionsReset | AnswersCut | AnswersLost | WatchesGone => {
                Explains::Delay
            }
            ApiFrozen
            | ApiRefuses(_)
            | ApiRefusesWrites(_)
            | WatchStartsGone
            | ApiServerKilled
            | ApiServerStopped
            | EtcdRestarted
            | OperatorKilled
            | OperatorTerminated
            | OperatorKilledAtWrite { .. } => Explains::StandStill,
            DnsFails | ClickUpRefuses | ClickUpResets => Explains::Unreachable("ConnectFailed"),
            TlsFails(_) => Explains::Unreachable("TLSFailed"),
            ClickUpSilent => Explains::Unreachable("TimedOut"),
        }
    }

    /// Whether the operator's process is another one afterwards, with all that it knew from memory gone.
    pub fn restarts_operator(&self) -> bool {
        use ClusterFault::*;
        matches!(self, OperatorKilled | OperatorTerminated | OperatorKilledAtWrite { .. } | DnsFails)
    }
}

impl fmt::Display for ClusterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ClusterFault::*;
        match self {
            ApiSlow => f.write_str("API server slow"),
            ApiFrozen => f.write_str("API server frozen"),
            ApiRefuses(refusal) => write!(f, "API server refuses with {}", refusal.code()),
            ApiRefusesWrites(refusal) => write!(f, "API server refuses writes with {}", refusal.code()),
            WatchesGone => f.write_str("watches 410 Gone"),
            WatchStartsGone => f.write_str("starts of watches 410 Gone"),
            WatchesClosed => f.write_str("watches closed every 2 s"),
            GoAway => f.write_str("connections told to go (GOAWAY or close) after 1 s"),
            ConnectionsReset => f.write_str("connections to the API server reset every 2 s"),
            AnswersCut => f.write_str("every other answer of the API server cut"),
            AnswersLost => f.write_str("every other status written, its answer lost"),
            ApiServerKilled => f.write_str("API server killed"),
            ApiServerStopped => f.write_str("API server stopped (SIGSTOP)"),
            EtcdRestarted => f.write_str("etcd killed and restarted"),
            OperatorKilled => f.write_str("operator killed"),
            OperatorTerminated => f.write_str("operator terminated"),
            OperatorKilledAtWrite { nth, before } => {
                let side = if *before { "before" } else { "after" };
                write!(f, "operator killed {side} its write {nth}")
            }
            DnsFails => f.write_str("ClickUp's name not resolved"),
            TlsFails(certificate) => write!(f, "ClickUp's certificate {certificate}"),
            ClickUpRefuses => f.write_str("ClickUp refuses connections"),
            ClickUpResets => f.write_str("ClickUp resets connections"),
            ClickUpSilent => f.write_str("ClickUp silent"),
        }
    }
}

impl Refusal {
    /// The HTTP status.
    pub fn code(self) -> u16 {
        match self {
            Refusal::TooManyRequests => 429,
            Refusal::Unavailable => 503,
        }
    }
}

impl BadCertificate {
    const ALL: [BadCertificate; 3] =
        [BadCertificate::Expired, BadCertificate::WrongHost, BadCertificate::UnknownAuthority];
}

impl fmt::Display for BadCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadCertificate::Expired => "expired",
            BadCertificate::WrongHost => "for another host",
            BadCertificate::UnknownAuthority => "by an unknown authority",
        })
    }
}
