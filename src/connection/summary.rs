//! Ready, Reconciling and Stalled: what the other conditions come to.

use super::{Finding, Findings};
use crate::api::{ConditionType, Reason};

/// Sums up the verdicts. A known No outlives an outage; what was verified stands while its grace runs.
pub(super) fn ready(findings: &Findings, grace_runs: bool) -> Finding {
    let verdicts = || ConditionType::VERDICTS.into_iter().filter_map(|c| findings.get(c).map(|f| (c, f)));
    let others_hold = verdicts().all(|(c, f)| c == ConditionType::Reachable || f.is_true());
    let reachable = findings.get(ConditionType::Reachable);
    if others_hold && reachable.is_some_and(Finding::is_true) {
        return Finding::yes(
            Reason::Verified,
            "ClickUp accepts the token, and everything asked for is there",
        );
    }
    if others_hold && grace_runs && reachable.is_some_and(Finding::is_false) {
        return Finding::yes(
            Reason::Verified,
            "verified before; ClickUp cannot be asked now, see the condition Reachable; this stands for spec.outageGracePeriod",
        );
    }
    let no = verdicts().find(|(c, f)| *c != ConditionType::Reachable && f.is_false()).map(|(_, f)| f.clone());
    let open = || verdicts().map(|(_, f)| f).find(|f| !f.is_true());
    no.or_else(|| open().map(|f| Finding::unknown(f.reason, &f.message))).unwrap_or_else(Finding::not_checked)
}

/// Adds the abnormal conditions that follow from Ready. `retried` is whether the operator goes on by itself.
pub(super) fn add_abnormal(findings: &mut Findings, ready: &Finding, retried: bool) {
    use Reason::{InvalidSpec, TokenEmpty, TokenMalformed, TokenRejected, TokenTypeMismatch};
    let stalled = [TokenEmpty, TokenMalformed, TokenTypeMismatch, TokenRejected, InvalidSpec];
    if ready.is_false() && stalled.contains(&ready.reason) {
        findings.set(ConditionType::Stalled, Finding::yes(ready.reason, &ready.message));
    } else if !ready.is_true() && !ready.is_false() && retried {
        findings.set(ConditionType::Reconciling, Finding::yes(ready.reason, &ready.message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{ConditionStatus as S, ConditionType as C};

    /// The verdicts in order, each as status and reason.
    fn findings(states: [(S, Reason); 4]) -> Findings {
        let mut findings = Findings::default();
        for (condition, (status, reason)) in C::VERDICTS.into_iter().zip(states) {
            findings.set(condition, Finding { status, reason, message: reason.to_string() });
        }
        findings
    }

    #[test]
    fn ready_follows_the_first_no_and_else_the_first_doubt() {
        use Reason::*;
        let (found, answered, accepted, ok) = (
            (S::True, TokenFound),
            (S::True, ResponseReceived),
            (S::True, TokenAccepted),
            (S::True, WorkspacesFound),
        );
        let (down, open) = ((S::False, ConnectFailed), (S::Unknown, NotChecked));
        for (states, grace, status, reason) in [
            ([found, answered, accepted, ok], false, S::True, Verified),
            ([found, down, accepted, ok], true, S::True, Verified),
            ([found, down, accepted, ok], false, S::Unknown, ConnectFailed),
            ([found, down, open, open], true, S::Unknown, ConnectFailed),
            ([found, down, accepted, open], true, S::Unknown, ConnectFailed),
            ([found, down, accepted, (S::False, WorkspaceNotFound)], true, S::False, WorkspaceNotFound),
            ([found, down, (S::False, TokenRejected), open], true, S::False, TokenRejected),
            ([found, answered, (S::False, TokenRejected), open], false, S::False, TokenRejected),
            ([(S::False, SecretNotFound), open, open, open], false, S::False, SecretNotFound),
            (
                [(S::Unknown, SecretAccessDenied), answered, accepted, ok],
                true,
                S::Unknown,
                SecretAccessDenied,
            ),
            (
                [(S::Unknown, SecretAccessDenied), answered, accepted, (S::False, NoWorkspaces)],
                false,
                S::False,
                NoWorkspaces,
            ),
            ([found, open, accepted, ok], true, S::Unknown, NotChecked),
        ] {
            let ready = ready(&findings(states), grace);
            assert_eq!((ready.status, ready.reason), (status, reason), "{states:?} grace {grace}");
        }
    }

    #[test]
    fn never_both_reconciling_and_stalled() {
        use Reason::*;
        for (ready, retried, expected) in [
            (Finding::yes(Verified, ""), true, None),
            (Finding::no(TokenRejected, ""), true, Some(C::Stalled)),
            (Finding::no(InvalidSpec, ""), false, Some(C::Stalled)),
            (Finding::no(SecretNotFound, ""), true, None),
            (Finding::unknown(ConnectFailed, ""), true, Some(C::Reconciling)),
            (Finding::unknown(Suspended, ""), false, None),
        ] {
            let mut findings = Findings::default();
            add_abnormal(&mut findings, &ready, retried);
            assert_eq!(
                findings.iter().map(|(c, _)| c).collect::<Vec<_>>(),
                Vec::from_iter(expected),
                "{ready:?}"
            );
        }
    }
}
