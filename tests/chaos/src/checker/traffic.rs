//! How much the operator may ask: of ClickUp no more than what is to be known, of the API server no more than what is to
//! be written.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use clickup_simulator::messages::LogEntry;
use test_support::control_plane::audit::{AuditEvent, Stage};

use crate::world::{Key, World, token_name};

/// As the audit log knows the operator.
pub const OPERATOR: &str = "system:serviceaccount:clickup-operator:clickup-operator";

/// What happened in a step, as far as it explains requests.
#[derive(Clone, Debug, Default)]
pub struct Occasion {
    /// What concerned each connection, and how often.
    pub concerned: HashMap<Key, usize>,
    /// For how long it lasted.
    pub lasted: Duration,
    /// Whether something else than the truth was answered, so that there are retries.
    pub faulty: bool,
    /// How often the operator's process began anew.
    pub starts: usize,
}

/// Rejected 429s that are to be waited for: a token's name, and for how long.
pub type Resets = BTreeMap<String, Duration>;

/// Requests to ClickUp.
///
/// # Errors
/// Names the token that too much was sent with, or too early.
pub fn to_clickup(
    log: &[LogEntry],
    worlds: [&World; 2],
    occasion: &Occasion,
    resets: &Resets,
) -> Result<(), String> {
    let mut by_token: BTreeMap<&str, Vec<&LogEntry>> = BTreeMap::new();
    for entry in log {
        by_token.entry(&entry.token).or_default().push(entry);
    }
    let needs = needs(worlds, occasion);
    for (token, entries) in by_token {
        let need = needs.get(token).copied().unwrap_or(UNKNOWN);
        if entries.len() > need {
            return Err(format!("{} requests with {token}, which {need} are enough for", entries.len()));
        }
        let own = entries.iter().find(|entry| entry.status == Some(429) && entry.faults.is_empty());
        if let Some(own) = own {
            return Err(format!("the operator used up the limit of {token} itself, at {}", own.path));
        }
        if let Some(reset) = resets.get(token).filter(|_| occasion.starts == 0) {
            waited(&entries, *reset).map_err(|early| format!("{token}: {early}"))?;
        }
    }
    Ok(())
}

/// For tokens that ClickUp does not know, all together.
const UNKNOWN: usize = 200;

/// What may be sent with each token.
fn needs(worlds: [&World; 2], occasion: &Occasion) -> HashMap<String, usize> {
    let mut needs: HashMap<String, usize> = HashMap::new();
    let seconds = usize::try_from(occasion.lasted.as_secs()).unwrap_or(usize::MAX);
    // Five, ten, twenty seconds apart, then as long as the interval.
    let retries = if occasion.faulty { 4 + seconds / 20 } else { 0 };
    let routine = 1 + seconds / 60;
    for (number, _) in worlds[1].accounts.iter().enumerate() {
        let mut questions = 2;
        let mut occasions = 2 + retries + routine + occasion.starts;
        for world in worlds {
            for key in world.users_of(number) {
                let Some(connection) = world.connections.get(&key) else { continue };
                let asks = &connection.asks;
                questions += 2 + asks.access.len() + usize::from(asks.missing_list);
                questions += usize::from(asks.channel.is_some()) + usize::from(asks.required.is_some());
                occasions += occasion.concerned.get(&key).copied().unwrap_or_default();
            }
        }
        needs.insert(token_name(number), questions * occasions);
    }
    needs
}

/// Nothing is sent between a 429 and its reset; what was on its way may still arrive.
fn waited(entries: &[&LogEntry], reset: Duration) -> Result<(), String> {
    let reset = u64::try_from(reset.as_millis()).unwrap_or(u64::MAX);
    for limited in entries.iter().filter(|entry| entry.status == Some(429)) {
        let quiet = limited.time_ms + 1_000..limited.time_ms + reset.saturating_sub(500);
        if let Some(early) = entries.iter().find(|entry| quiet.contains(&entry.time_ms)) {
            let after = early.time_ms - limited.time_ms;
            return Err(format!("{} sent {after} ms after a 429 that resets in {reset} ms", early.path));
        }
    }
    Ok(())
}

/// Requests to the API server. `moved` are the statuses that each connection had, where all were seen.
///
/// # Errors
/// Names what was asked too often, needlessly or without the right to.
pub fn to_api_server(
    audit: &[AuditEvent],
    moved: Option<&HashMap<Key, usize>>,
    occasion: &Occasion,
    connections: usize,
) -> Result<(), String> {
    let own: Vec<_> =
        audit.iter().filter(|e| e.user == OPERATOR && e.stage != Stage::ResponseStarted).collect();
    if let Some(refused) = own.iter().find(|e| e.code == Some(403)) {
        return Err(format!("without the right to: {} {}", refused.verb, refused.uri));
    }
    let mut written: HashMap<Key, usize> = HashMap::new();
    for patch in own.iter().filter(|e| e.subresource == "status" && e.code == Some(200)) {
        let namespace = patch.namespace.strip_prefix("chaos-").and_then(|n| n.parse().ok());
        *written.entry(Key::new(namespace.unwrap_or(usize::MAX), &patch.name)).or_default() += 1;
    }
    for (key, writes) in &written {
        let seen = moved.map(|moved| moved.get(key).copied().unwrap_or_default());
        if seen.is_some_and(|seen| *writes > seen) {
            return Err(format!("{writes} writes of the status of {key}, which changed {seen:?} times"));
        }
    }
    let reasons: usize = occasion.concerned.values().sum::<usize>();
    // A status before and one after, some on the way; an Event for each; and again where an answer was lost.
    let again = if occasion.faulty { 3 } else { 1 };
    let allowed = 10 + 6 * again * (reasons + occasion.concerned.len());
    let writes = own.iter().filter(|e| ["patch", "create", "update", "delete"].contains(&e.verb.as_str()));
    let writes = writes.count();
    if writes > allowed {
        return Err(format!("{writes} writes to the API server, which {allowed} are enough for"));
    }
    let reads = own.iter().filter(|e| e.verb == "get").count();
    let allowed = allowed + occasion.starts * connections + connections / 10;
    if reads > allowed {
        return Err(format!("{reads} reads from the API server, which {allowed} are enough for"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Account, Asks, Change, Connection, Fill, secret_of};
    use clickup_simulator::messages::Sent;

    fn world() -> World {
        let mut world = World { namespaces: vec![true], ..World::default() };
        world.accounts.push(Account { version: 0, live: true, member: false, limit: 1_000 });
        let key = key();
        world.apply(&Change::Put(secret_of(&key), Fill::Token(0)));
        world.apply(&Change::Create(key.clone(), Box::new(Connection::of(&key, 0, Asks::default()))));
        world
    }

    fn key() -> Key {
        Key::new(0, "c")
    }

    fn request(at: u64, status: u16, faults: &[u64]) -> LogEntry {
        LogEntry {
            seq: at,
            time_ms: at,
            token: token_name(0),
            live: true,
            sent: Sent::Raw,
            method: "GET".into(),
            path: "/v2/user".into(),
            query: String::new(),
            status: Some(status),
            answered: true,
            faults: faults.to_vec(),
        }
    }

    fn asked_once() -> Occasion {
        Occasion { concerned: [(key(), 1)].into(), ..Occasion::default() }
    }

    #[test]
    fn a_check_is_enough_and_a_storm_is_too_much() {
        let (world, resets) = (world(), Resets::new());
        let check = [request(1, 200, &[]), request(2, 200, &[]), request(3, 200, &[])];
        assert_eq!(to_clickup(&check, [&world, &world], &asked_once(), &resets), Ok(()));
        let storm: Vec<_> = (0..100).map(|at| request(at, 200, &[])).collect();
        let found = to_clickup(&storm, [&world, &world], &asked_once(), &resets).unwrap_err();
        assert!(found.contains("100 requests with token-0"), "{found}");
    }

    #[test]
    fn a_429_is_to_be_waited_for_and_not_to_be_earned() {
        let world = world();
        let resets = Resets::from([(token_name(0), Duration::from_secs(4))]);
        let judge = |log: &[LogEntry]| to_clickup(log, [&world, &world], &asked_once(), &resets);
        let limited = || request(1_000, 429, &[7]);
        assert_eq!(judge(&[limited(), request(5_100, 200, &[])]), Ok(()));
        assert!(judge(&[limited(), request(3_000, 200, &[])]).unwrap_err().contains("2000 ms after"));
        assert!(judge(&[request(1, 429, &[])]).unwrap_err().contains("used up the limit"));
    }

    fn call(verb: &str, subresource: &str, code: u16) -> AuditEvent {
        AuditEvent {
            stage: Stage::ResponseComplete,
            user: OPERATOR.into(),
            verb: verb.into(),
            group: String::new(),
            resource: "clickupconnections".into(),
            subresource: subresource.into(),
            namespace: "chaos-0".into(),
            name: "c".into(),
            code: Some(code),
            user_agent: String::new(),
            uri: "/apis".into(),
            received: String::new(),
            reached: String::new(),
        }
    }

    #[test]
    fn a_write_that_nobody_sees_is_needless_and_what_is_forbidden_is_found() {
        let occasion = asked_once();
        let judge = |audit: &[AuditEvent], seen: usize| {
            to_api_server(audit, Some(&[(key(), seen)].into()), &occasion, 1)
        };
        let written = call("patch", "status", 200);
        assert_eq!(judge(&[written.clone(), call("patch", "status", 409)], 1), Ok(()));
        let found = judge(&[written.clone(), written.clone()], 1).unwrap_err();
        assert!(found.contains("2 writes of the status"), "{found}");
        assert_eq!(
            to_api_server(&[written.clone(), written], None, &occasion, 1),
            Ok(()),
            "some were missed"
        );
        assert!(judge(&[call("list", "", 403)], 0).unwrap_err().contains("without the right"));
        let many = vec![call("patch", "status", 500); 50];
        assert!(judge(&many, 0).unwrap_err().contains("50 writes"));
        let reads = vec![call("get", "", 200); 50];
        assert!(judge(&reads, 0).unwrap_err().contains("50 reads"));
    }
}
