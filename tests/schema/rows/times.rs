//! How often, how long.

use super::{Place, Row, row};
use serde_json::{Value, json};

const NO_DURATIONS: [&str; 18] = [
    "",
    "10",
    "m",
    "10 m",
    "10M",
    "1m1h",
    "1h1h",
    "-5m",
    "+5m",
    "1.5h",
    "500ms",
    "1d",
    "1h 30m",
    "PT10M",
    "ten minutes",
    "5m\n",
    "99999999999999999999s",
    "９m",
];

pub fn refused() -> Vec<Row> {
    let fields: [(&str, &str, &[&str]); 3] = [
        (
            "interval",
            "interval must be a duration from 1m to 24h: write whole hours, minutes and seconds in this order, such as 10m or 1h30m",
            &["0s", "59s", "24h1s", "86401s", "1441m", "99999999h", "99999h99m", "9999999m"],
        ),
        (
            "timeout",
            "timeout must be a duration from 1s to 5m: write whole hours, minutes and seconds in this order, such as 30s or 1m30s",
            &["0s", "5m1s", "301s", "99999999h", "24h"],
        ),
        (
            "outageGracePeriod",
            "outageGracePeriod must be a duration from 0s to 24h: write whole hours, minutes and seconds in this order, such as 30m or 1h30m",
            &["24h1s", "25h", "99999999h"],
        ),
    ];
    let mut rows = Vec::new();
    for (field, hint, out_of_bounds) in fields {
        let name = format!("spec.{field}");
        let place = Place { name: &name, put: &|value| json!({"spec": {field: value}}) };
        rows.extend(place.texts(hint, &NO_DURATIONS));
        rows.extend(place.texts(hint, out_of_bounds));
        let mut pattern = place.pattern("10 m");
        pattern.says.push(hint.to_owned());
        rows.push(pattern);
        let too_short = &["should be at least 2 chars long", hint];
        rows.push(row(&format!("{name} minLength"), (place.put)(json!("")), too_short));
        let zeros = json!(format!("{}1m", "0".repeat(64)));
        rows.push(place.row("maxLength", zeros, "may not be more than 64"));
    }
    let longer = [("1m", "61s"), ("60s", "1m1s"), ("2m", "5m"), ("1m", "5m")];
    rows.extend(Place { name: "spec", put: &|value| value }.rule(
        "timeout must not be longer than interval: write a shorter timeout or a longer interval",
        longer.map(|(interval, timeout)| json!({"spec": {"interval": interval, "timeout": timeout}})),
    ));
    rows
}

pub fn accepted() -> Vec<Value> {
    let mut patches = vec![
        json!({"spec": {"interval": "1m", "timeout": "1m"}}),
        json!({"spec": {"interval": "60s", "timeout": "1m"}}),
    ];
    let durations: [(&str, &[&str]); 3] = [
        ("interval", &["1m", "60s", "24h", "86400s", "23h59m60s", "1h30m", "1h1s", "0h1m0s", "0000001m"]),
        ("timeout", &["1s", "5m", "300s", "4m60s", "0h0m1s"]),
        ("outageGracePeriod", &["0s", "0m", "0h", "24h", "1440m", "1h"]),
    ];
    for (field, values) in durations {
        patches.extend(values.iter().map(|value| json!({"spec": {field: value}})));
    }
    patches
}
