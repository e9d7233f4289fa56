//! Objects that were stored before the schema had a rule: the operator refuses what the API server refuses today.

use super::{good, merged, rows};
use clickup_operator::api::StoredConnection;

/// Constraints that the operator does not rely on.
const HARMLESS: [&str; 6] = [
    "spec.displayName maxLength",
    "spec.description maxLength",
    "spec.interval maxLength",
    "spec.timeout maxLength",
    "spec.outageGracePeriod maxLength",
    "spec.sharing.namespaces set",
];

#[test]
fn what_the_api_server_refuses_is_an_invalid_spec() {
    let mut wrong = Vec::new();
    for row in rows::refused() {
        let stored: StoredConnection = serde_json::from_value(merged(good(), &row.patch)).unwrap();
        match stored.spec {
            Ok(_) if HARMLESS.contains(&row.breaks.as_str()) => {}
            Ok(_) => wrong.push(format!("{}: taken for good: {}", row.breaks, row.patch)),
            Err(_) if HARMLESS.contains(&row.breaks.as_str()) => {
                wrong.push(format!("{}: not harmless", row.breaks))
            }
            // Where the rows are about one place, so is the error.
            Err(error) if error.starts_with(row.place()) => {}
            Err(error) => wrong.push(format!("{}: {}\n  {error}", row.breaks, row.patch)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_the_api_server_accepts_is_a_valid_spec() {
    for patch in rows::accepted() {
        let stored: StoredConnection = serde_json::from_value(merged(good(), &patch)).unwrap();
        if let Err(error) = stored.spec {
            panic!("{patch}: {error}");
        }
    }
}
