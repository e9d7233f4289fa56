//! What the API server refuses: each constraint of the CRD, a value that breaks it, and what a person then reads.
//! And what it accepts.

mod requirements;
mod statuses;
mod times;
mod token_source;

use serde_json::{Value, json};

pub use statuses::refused as refused_statuses;

/// A value that breaks a constraint.
pub struct Row {
    /// The constraint, as `constraints` names it.
    pub breaks: String,
    /// Merged into a good object.
    pub patch: Value,
    /// Parts of the message, which tell what to write.
    pub says: Vec<String>,
}

impl Row {
    /// The place of the constraint, as far as it has one name: up to the first list or map.
    pub fn place(&self) -> &str {
        let place = self.breaks.split_once(' ').map_or("", |(place, _)| place);
        let end = [place.find("[]"), place.find(".*")].into_iter().flatten().min();
        &place[..end.unwrap_or(place.len())]
    }
}

fn row(breaks: &str, patch: Value, says: &[&str]) -> Row {
    Row { breaks: breaks.to_owned(), patch, says: says.iter().map(|&part| part.to_owned()).collect() }
}

/// A place in the spec, and how a value gets there with all around it as it should be.
struct Place<'a> {
    name: &'a str,
    put: &'a dyn Fn(Value) -> Value,
}

impl Place<'_> {
    fn row(&self, breaks: &str, value: Value, says: &str) -> Row {
        row(&format!("{} {breaks}", self.name), (self.put)(value), &[says])
    }

    /// Values that a rule refuses with its message.
    fn rule(&self, message: &str, values: impl IntoIterator<Item = Value>) -> Vec<Row> {
        let breaks = format!("rule: {message}");
        values.into_iter().map(|value| self.row(&breaks, value, message)).collect()
    }

    /// The same for texts.
    fn texts(&self, message: &str, values: &[&str]) -> Vec<Row> {
        self.rule(message, values.iter().map(|value| json!(value)))
    }

    fn pattern(&self, value: &str) -> Row {
        self.row("pattern", json!(value), "should match '^")
    }

    fn too_short(&self) -> Row {
        self.row("minLength", json!(""), "should be at least 1 chars long")
    }

    fn too_long(&self, most: usize) -> Row {
        self.row("maxLength", json!("1".repeat(most + 1)), &format!("may not be more than {most}"))
    }

    fn too_many(&self, most: usize, value: impl Fn(usize) -> Value) -> Row {
        let values: Vec<_> = (0..=most).map(value).collect();
        self.row(
            "maxItems",
            json!(values),
            &format!("Too many: {}: must have at most {most} items", most + 1),
        )
    }

    fn not_in(&self, values: &[&str], supported: &str) -> Vec<Row> {
        let says = format!("supported values: {supported}");
        values.iter().map(|value| self.row("enum", json!(value), &says)).collect()
    }
}

/// Merged into a good object: none of it is accepted.
pub fn refused() -> Vec<Row> {
    let mut rows = vec![row(" required spec", json!({"spec": null}), &["spec: Required value"])];
    for (field, most) in [("displayName", 128), ("description", 1024)] {
        let put = |value| json!({"spec": {field: value}});
        rows.push(Place { name: &format!("spec.{field}"), put: &put }.too_long(most));
    }
    rows.extend(token_source::refused());
    rows.extend(requirements::refused());
    rows.extend(times::refused());
    rows
}

/// Merged into a good object: all of it is accepted.
pub fn accepted() -> Vec<Value> {
    let mut patches = vec![
        json!({}),
        json!({"spec": {"displayName": "x".repeat(128), "description": "x".repeat(1024)}}),
        // Characters, not bytes.
        json!({"spec": {"displayName": "ü".repeat(128), "description": "語".repeat(1024)}}),
        json!({"spec": {"displayName": "", "description": ""}}),
        json!({"spec": {"suspend": true}}),
        example_of_an_owner(),
        example_of_a_referrer(),
    ];
    patches.extend(token_source::accepted());
    patches.extend(requirements::accepted());
    patches.extend(times::accepted());
    patches
}

/// As in DESIGN.md and in the docs.
pub fn example_of_an_owner() -> Value {
    json!({"metadata": {"name": "release-bot"}, "spec": {
        "displayName": "Release bot",
        "tokenSecretRef": {"name": "clickup-release-bot"},
        "defaultWorkspace": {"name": "Acme"},
        "requiredWorkspaces": [{"id": "9012345678"}],
        "channel": {"name": "releases"},
        "access": [{"space": {"name": "Engineering"}}, {"list": {"id": "901500123"}}],
        "minimumRole": "Member",
        "interval": "10m",
        "sharing": {
            "scope": "Namespaces",
            "namespaces": ["payments"],
            "namespaceSelector": {"matchLabels": {"clickup": "release-bot"}},
        },
    }})
}

/// Of a connection in another namespace.
pub fn example_of_a_referrer() -> Value {
    token_source::referrer(json!({
        "connectionRef": {"namespace": "platform", "name": "release-bot"},
        "defaultWorkspace": {"id": "9087654321"},
    }))
}
