//! What a user may do and does, each as `VERB RESOURCE[/SUBRESOURCE].GROUP`: what rules grant, and what the audit log shows.

use crate::control_plane::{ControlPlane, audit::AuditEvent};
use crate::wait::{self, TimedOut};
use k8s_openapi::api::rbac::v1::PolicyRule;
use std::{collections::BTreeSet, time::Duration};

/// What a watch that is told late, and an Event that is written last, may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What these rules grant.
pub fn granted(rules: &[PolicyRule]) -> BTreeSet<String> {
    let of = |rule: &PolicyRule| {
        let mut rights = Vec::new();
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                rights.extend(rule.verbs.iter().map(|verb| format!("{verb} {resource}.{group}")));
            }
        }
        rights
    };
    rules.iter().flat_map(of).collect()
}

/// What a request takes.
fn used(event: &AuditEvent) -> String {
    let AuditEvent { verb, resource, subresource, group, .. } = event;
    let slash = if subresource.is_empty() { "" } else { "/" };
    format!("{verb} {resource}{slash}{subresource}.{group}")
}

/// Waits until a user has used each of its rights and no other, and returns the user's requests.
///
/// # Panics
/// A request was refused, or so few rights are given that a test of them would be void.
pub async fn until_all_used(
    control_plane: &ControlPlane,
    user: &str,
    granted: &BTreeSet<String>,
) -> Result<Vec<AuditEvent>, TimedOut> {
    assert!(granted.len() >= 5, "the test is void: {granted:?}");
    wait::until(PATIENCE, format!("{user} to use every right"), || async {
        let mut requests = control_plane.audit_events().map_err(|e| e.to_string())?;
        requests.retain(|event| event.user == user);
        let refused: Vec<_> = requests.iter().filter(|event| event.code == Some(403)).collect();
        assert!(refused.is_empty(), "refused: {refused:?}");
        let used: BTreeSet<_> = requests.iter().map(used).collect();
        if used == *granted { Ok(requests) } else { Err(format!("used {used:?}, granted {granted:?}")) }
    })
    .await
}
