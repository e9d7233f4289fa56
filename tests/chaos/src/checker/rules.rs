//! What holds between two successive versions of a connection, and what a status may say for the time being.

use std::collections::BTreeSet;

use serde_json::Value;
use test_support::case::is;

/// What may be seen of a connection until it has settled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Status and reason of Ready.
    pub ready: BTreeSet<(&'static str, &'static str)>,
    /// Whose identity.
    pub users: BTreeSet<String>,
    /// Whether there is any reason to write its status.
    pub writes: bool,
}

impl Allowed {
    /// Whether the status may be so. What was never checked may say nothing.
    ///
    /// # Errors
    /// Says what it may not.
    pub fn judge(&self, status: &Value) -> Result<(), String> {
        let ready = is(status, "Ready");
        if ready != ("", "") && !self.ready.contains(&ready) {
            return Err(format!("Ready={}/{}, which only {:?} may be", ready.0, ready.1, self.ready));
        }
        match status["user"]["id"].as_str() {
            Some(user) if !self.users.contains(user) => {
                Err(format!("the identity of user {user}, whose token this is not: {:?}", self.users))
            }
            _ => Ok(()),
        }
    }

    /// Both this and that.
    pub fn join(&mut self, other: &Allowed) {
        self.ready.extend(&other.ready);
        self.users.extend(other.users.iter().cloned());
        self.writes |= other.writes;
    }
}

/// What holds between one version of an object and the next.
///
/// # Errors
/// Names the rule that is broken.
pub fn successive(before: &Value, after: &Value) -> Result<(), String> {
    if substance(before) == substance(after) {
        return Err("a write that changes nothing".to_owned());
    }
    let observed = |object: &Value| object["status"]["observedGeneration"].as_i64().unwrap_or(-1);
    if observed(after) < observed(before) {
        return Err(format!("observedGeneration goes back from {} to {}", observed(before), observed(after)));
    }
    for condition in after["status"]["conditions"].as_array().into_iter().flatten() {
        let same_type = |other: &&Value| other["type"] == condition["type"];
        let conditions = before["status"]["conditions"].as_array();
        let Some(previous) = conditions.and_then(|all| all.iter().find(same_type)) else { continue };
        let (then, now) = (&previous["lastTransitionTime"], &condition["lastTransitionTime"]);
        let moved = previous["status"] != condition["status"];
        if !moved && then != now {
            return Err(format!(
                "the transition time of {} moves from {then} to {now}, its status does not",
                condition["type"]
            ));
        }
        if moved && then.as_str() > now.as_str() {
            return Err(format!(
                "the transition time of {} goes back from {then} to {now}",
                condition["type"]
            ));
        }
    }
    Ok(())
}

/// Whether the status differs at all.
pub fn status_moved(before: &Value, after: &Value) -> bool {
    before["status"] != after["status"]
}

/// An object without what any write changes.
fn substance(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
        metadata.remove("resourceVersion");
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(version: u64, observed: i64, ready: (&str, &str), time: &str) -> Value {
        let condition =
            json!({"type": "Ready", "status": ready.0, "reason": ready.1, "lastTransitionTime": time});
        json!({
            "metadata": {"resourceVersion": version.to_string(), "managedFields": [{"time": version}]},
            "status": {"observedGeneration": observed, "conditions": [condition]},
        })
    }

    const GOOD: (&str, &str) = ("True", "Verified");
    const BAD: (&str, &str) = ("False", "TokenRejected");

    #[test]
    fn a_good_history_passes() {
        let first = object(1, -1, ("Unknown", "Checking"), "2026-11-24T10:00:00Z");
        let second = object(2, 1, GOOD, "2026-11-24T10:00:02Z");
        let third = object(3, 2, GOOD, "2026-11-24T10:00:02Z");
        assert_eq!(successive(&first, &second), Ok(()));
        assert_eq!(successive(&second, &third), Ok(()));
        assert!(status_moved(&second, &third));
    }

    #[test]
    fn each_bad_history_is_found() {
        let before = object(1, 2, GOOD, "2026-11-24T10:00:02Z");
        for (after, what) in [
            (object(2, 2, GOOD, "2026-11-24T10:00:02Z"), "changes nothing"),
            (object(2, 1, GOOD, "2026-11-24T10:00:02Z"), "goes back"),
            (object(2, 2, GOOD, "2026-11-24T10:00:03Z"), "its status does not"),
            (object(2, 2, BAD, "2026-11-24T10:00:01Z"), "goes back"),
        ] {
            let found = successive(&before, &after).unwrap_err();
            assert!(found.contains(what), "{found}, not {what}");
        }
    }

    #[test]
    fn an_outage_may_not_turn_ready_false_nor_show_another_user() {
        let allowed = Allowed {
            ready: [("True", "Verified"), ("Unknown", "ConnectFailed")].into(),
            users: ["1".to_owned()].into(),
            writes: true,
        };
        let status = |ready, user: &str| {
            let mut status = object(1, 1, ready, "2026-11-24T10:00:02Z")["status"].take();
            status["user"] = json!({"id": user});
            status
        };
        assert_eq!(allowed.judge(&status(GOOD, "1")), Ok(()));
        assert_eq!(allowed.judge(&status(("Unknown", "ConnectFailed"), "1")), Ok(()));
        assert_eq!(allowed.judge(&json!({"observedGeneration": -1})), Ok(()));
        assert!(allowed.judge(&status(("False", "ConnectFailed"), "1")).unwrap_err().contains("Ready"));
        assert!(allowed.judge(&status(BAD, "1")).is_err());
        assert!(allowed.judge(&status(GOOD, "2")).unwrap_err().contains("user 2"));
    }
}
