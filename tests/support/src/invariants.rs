//! What holds for every status of a connection at every moment (the contract's §2 and §4), checked after each step of a
//! test, whatever the step was about.

use serde_json::Value;

const VERDICTS: [&str; 6] = [
    "TokenAvailable",
    "Reachable",
    "Authenticated",
    "WorkspacesResolved",
    "ChannelResolved",
    "AccessVerified",
];
/// Present only where the spec asks for them.
const ASKED_FOR: [&str; 2] = ["ChannelResolved", "AccessVerified"];
const ABNORMAL: [&str; 3] = ["Reconciling", "Stalled", "RateLimited"];
const IDENTITY: [&str; 5] = ["user", "workspaces", "workspaceCount", "defaultWorkspace", "channel"];
/// What a connection must not learn about the token of another.
const OWNERS: [&str; 4] = ["user", "workspaceCount", "rateLimit", "secretResourceVersion"];
const STALLED: [&str; 5] =
    ["TokenEmpty", "TokenMalformed", "TokenTypeMismatch", "TokenRejected", "InvalidSpec"];

/// Checks a ClickUpConnection as the API server gives it, status included.
///
/// # Errors
/// Names the first rule that is broken.
pub fn check(object: &Value) -> Result<(), String> {
    let status = &object["status"];
    let conditions = Conditions::of(status)?;
    generations(object, status, &conditions)?;
    messages(&conditions)?;
    no_token(status)?;
    workspaces(object)?;
    asked_for(object, &conditions)?;
    let Some(ready) = conditions.get("Ready") else {
        return ensure(conditions.0.is_empty(), || "there are conditions, but not Ready".to_owned());
    };
    abnormal(&conditions, ready)?;
    match ready["reason"].as_str() {
        Some("InvalidSpec") => ensure(conditions.types() == ["Ready", "Stalled"], || {
            format!("InvalidSpec leaves only Ready and Stalled, not {:?}", conditions.types())
        }),
        Some("Suspended" | "Checking") => {
            ensure(ready["status"] == "Unknown", || format!("{ready} is not Unknown"))
        }
        _ => verdicts(status, &conditions, ready),
    }
}

struct Conditions<'a>(Vec<&'a Value>);

impl<'a> Conditions<'a> {
    fn of(status: &'a Value) -> Result<Self, String> {
        let list: Vec<_> = status["conditions"].as_array().map(|c| c.iter().collect()).unwrap_or_default();
        let mut types: Vec<_> = list.iter().filter_map(|c| c["type"].as_str()).collect();
        for type_ in &types {
            let known = VERDICTS.contains(type_) || ABNORMAL.contains(type_) || *type_ == "Ready";
            ensure(known, || format!("{type_} is no condition of the contract"))?;
        }
        types.sort_unstable();
        types.dedup();
        ensure(types.len() == list.len(), || format!("a condition stands twice in {types:?}"))?;
        Ok(Self(list))
    }

    fn get(&self, type_: &str) -> Option<&'a Value> {
        self.0.iter().copied().find(|c| c["type"] == type_)
    }

    fn types(&self) -> Vec<&'a str> {
        let mut types: Vec<_> = self.0.iter().filter_map(|c| c["type"].as_str()).collect();
        types.sort_unstable();
        types
    }
}

fn generations(object: &Value, status: &Value, conditions: &Conditions<'_>) -> Result<(), String> {
    let generation = object["metadata"]["generation"].as_i64().unwrap_or_default();
    let observed = status["observedGeneration"].as_i64();
    ensure(observed.is_none_or(|o| o == -1 || (1..=generation).contains(&o)), || {
        format!("observedGeneration {observed:?} of generation {generation}")
    })?;
    let of = |c: &&Value| c["observedGeneration"].as_i64();
    let first = conditions.0.first().and_then(of);
    ensure(conditions.0.iter().all(|c| of(c) == first && of(c).is_some()), || {
        "the conditions are of different generations".to_owned()
    })
}

fn messages(conditions: &Conditions<'_>) -> Result<(), String> {
    for condition in &conditions.0 {
        let message = condition["message"].as_str().unwrap_or_default();
        let line = !message.is_empty() && message.len() <= 512 && !message.chars().any(char::is_control);
        ensure(line, || format!("the message of {} is not one line of 1 to 512 bytes", condition["type"]))?;
        let time = condition["lastTransitionTime"].as_str().unwrap_or_default();
        ensure(time.ends_with('Z'), || format!("{} has the transition time {time:?}", condition["type"]))?;
    }
    Ok(())
}

/// A personal token looks like `pk_1234567_ABC`; its prefix alone may be spoken of.
fn no_token(status: &Value) -> Result<(), String> {
    let text = status.to_string();
    let token =
        text.match_indices("pk_").find(|(at, _)| text[at + 3..].starts_with(|c: char| c.is_ascii_digit()));
    ensure(token.is_none(), || "the status holds a token".to_owned())
}

/// What a connection asks for has a condition, and nothing else has; a binding is published only where asked for.
fn asked_for(object: &Value, conditions: &Conditions<'_>) -> Result<(), String> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let current = object["metadata"]["generation"] == status["observedGeneration"];
    let invalid = conditions.get("Ready").is_some_and(|ready| ready["reason"] == "InvalidSpec");
    if spec.is_null() || !current || invalid || conditions.0.is_empty() {
        return Ok(());
    }
    let access = spec["access"].as_array().is_some_and(|a| !a.is_empty()) || !spec["minimumRole"].is_null();
    for (type_, asked) in ASKED_FOR.iter().zip([!spec["channel"].is_null(), access]) {
        let there = conditions.get(type_).is_some();
        ensure(there == asked, || format!("{type_} is there: {there}, asked for: {asked}"))?;
    }
    let bound = &status["binding"]["name"];
    let found = conditions.get("TokenAvailable").is_some_and(|c| c["status"] == "True");
    let enabled = spec["binding"]["enabled"] == true;
    ensure(bound.is_null() || enabled && *bound == spec["tokenSecretRef"]["name"], || {
        format!("binding {bound} beside {}", spec["binding"])
    })?;
    let suspended = spec["suspend"] == true;
    ensure(!(enabled && found && bound.is_null() && !suspended), || "no binding beside a token".to_owned())
}

fn workspaces(object: &Value) -> Result<(), String> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let current = object["metadata"]["generation"] == status["observedGeneration"];
    // Until an edit is judged, what was found for another token, one's own or not, stays.
    if !current {
        return Ok(());
    }
    if !spec["connectionRef"].is_null() {
        let told: Vec<_> = OWNERS.iter().filter(|f| !status[**f].is_null()).collect();
        return ensure(told.is_empty(), || format!("{told:?} are told to who uses the token of another"));
    }
    let ids: Vec<u128> = status["workspaces"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|w| w["id"].as_str()?.parse().ok())
        .collect();
    let count = status["workspaceCount"].as_u64().unwrap_or_default();
    ensure(ids.is_sorted() && ids.len() <= 100 && ids.len() as u64 == count.min(100), || {
        format!("workspaces {ids:?} are not sorted, too many, or not {count}")
    })
}

fn abnormal(conditions: &Conditions<'_>, ready: &Value) -> Result<(), String> {
    for type_ in ABNORMAL {
        let Some(condition) = conditions.get(type_) else { continue };
        ensure(condition["status"] == "True", || format!("{type_} is there and not True"))?;
        let like_ready = ["reason", "message"].iter().all(|f| condition[f] == ready[f]);
        ensure(type_ == "RateLimited" || like_ready, || format!("{type_} differs from Ready"))?;
        ensure(type_ == "RateLimited" || ready["status"] != "True", || format!("{type_} beside Ready=True"))?;
    }
    let stalled = conditions.get("Stalled").is_some();
    ensure(!(stalled && conditions.get("Reconciling").is_some()), || {
        "both Reconciling and Stalled".to_owned()
    })?;
    let hopeless =
        ready["status"] == "False" && STALLED.contains(&ready["reason"].as_str().unwrap_or_default());
    ensure(stalled == hopeless, || format!("Stalled is {stalled} beside {ready}"))
}

fn verdicts(status: &Value, conditions: &Conditions<'_>, ready: &Value) -> Result<(), String> {
    let verdicts: Vec<_> = VERDICTS.iter().filter_map(|t| conditions.get(t)).collect();
    let all = VERDICTS.iter().all(|t| ASKED_FOR.contains(t) || conditions.get(t).is_some());
    ensure(all, || format!("not all verdicts are there: {:?}", conditions.types()))?;
    let is = |c: &Value, s: &str| c["status"] == s;
    let no = verdicts.iter().find(|c| is(c, "False") && c["type"] != "Reachable");
    match no {
        Some(no) => ensure(
            is(ready, "False") && ready["reason"] == no["reason"] && ready["message"] == no["message"],
            || format!("Ready {ready} does not follow the first No, {no}"),
        )?,
        None if is(ready, "True") => {
            let others =
                verdicts.iter().all(|c| is(c, "True") || (c["type"] == "Reachable" && is(c, "False")));
            ensure(others, || "Ready is True beside a doubt".to_owned())?;
        }
        // Checks were put off for so long that what was verified does not stand any longer.
        None if ready["reason"] == "RateLimited" && conditions.get("RateLimited").is_some() => {
            ensure(is(ready, "Unknown"), || format!("{ready} is not Unknown"))?;
        }
        None => {
            let doubt = verdicts.iter().find(|c| !is(c, "True"));
            let follows = doubt.is_some_and(|d| d["reason"] == ready["reason"]) && is(ready, "Unknown");
            ensure(follows, || format!("Ready {ready} does not follow the first doubt, {doubt:?}"))?;
        }
    }
    let not_checked =
        |type_: &str| conditions.get(type_).is_some_and(|c| c["reason"] == "NotChecked" && is(c, "Unknown"));
    let is_no = |type_: &str| conditions.get(type_).is_some_and(|c| is(c, "False"));
    if is_no("TokenAvailable") {
        ensure(VERDICTS[1..].iter().all(|t| not_checked(t) || conditions.get(t).is_none()), || {
            "verdicts beside a missing token".to_owned()
        })?;
    }
    if is_no("Authenticated") {
        ensure(VERDICTS[3..].iter().all(|t| not_checked(t) || conditions.get(t).is_none()), || {
            "verdicts beside a dead token".to_owned()
        })?;
    }
    if is_no("TokenAvailable") || is_no("Authenticated") {
        let left: Vec<_> = IDENTITY.iter().filter(|f| !status[**f].is_null()).collect();
        ensure(left.is_empty(), || format!("{left:?} are left of a token that is missing or dead"))?;
    }
    Ok(())
}

fn ensure(holds: bool, broken: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(broken()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(ready: (&str, &str), others: [(&str, &str); 4], extra: &[(&str, &str)]) -> Value {
        let condition = |type_: &str, (status, reason): (&str, &str)| {
            json!({"type": type_, "status": status, "reason": reason, "message": reason, "observedGeneration": 1,
                "lastTransitionTime": "2026-11-23T10:00:00Z"})
        };
        let mut conditions: Vec<_> = VERDICTS.iter().zip(others).map(|(t, c)| condition(t, c)).collect();
        conditions.push(condition("Ready", ready));
        conditions.extend(extra.iter().map(|(t, reason)| condition(t, ("True", reason))));
        json!({"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": conditions}})
    }

    #[test]
    fn a_good_status_passes_and_each_broken_one_is_found() {
        let (found, answered, accepted, ok) = (
            ("True", "TokenFound"),
            ("True", "ResponseReceived"),
            ("True", "TokenAccepted"),
            ("True", "WorkspacesFound"),
        );
        let (verified, open) = (("True", "Verified"), ("Unknown", "NotChecked"));
        let good = object(verified, [found, answered, accepted, ok], &[]);
        assert_eq!(check(&good), Ok(()));
        assert_eq!(
            check(&json!({"metadata": {"generation": 1}, "status": {"observedGeneration": -1}})),
            Ok(())
        );
        let dead = [found, answered, ("False", "TokenRejected"), open];
        assert_eq!(check(&object(("False", "TokenRejected"), dead, &[("Stalled", "TokenRejected")])), Ok(()));
        for (broken, what) in [
            (object(verified, [found, answered, accepted, open], &[]), "beside a doubt"),
            (object(verified, dead, &[]), "does not follow"),
            (object(("False", "TokenRejected"), dead, &[]), "Stalled is false"),
            (
                object(verified, [found, answered, accepted, ok], &[("Reconciling", "Verified")]),
                "beside Ready=True",
            ),
            (
                object(
                    ("False", "TokenRejected"),
                    dead,
                    &[("Stalled", "TokenRejected"), ("Reconciling", "TokenRejected")],
                ),
                "both",
            ),
            (
                object(("False", "SecretNotFound"), [("False", "SecretNotFound"), answered, open, open], &[]),
                "missing token",
            ),
        ] {
            let error = check(&broken).unwrap_err();
            assert!(error.contains(what), "{error}, not {what}");
        }
        let mut leaky = good.clone();
        leaky["status"]["conditions"][0]["message"] = json!("found pk_1234567_ABC");
        assert!(check(&leaky).unwrap_err().contains("token"));
        let mut stale = good;
        stale["status"]["conditions"][0]["observedGeneration"] = json!(7);
        assert!(check(&stale).unwrap_err().contains("generations"));
    }
}
