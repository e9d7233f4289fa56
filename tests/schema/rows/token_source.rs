//! Where the token comes from, and who else may use it.

use super::{Place, Row, row};
use serde_json::{Value, json};

const SECRET_NAME: &str =
    "write the name of a Secret: lower case letters, digits, '-' and '.', such as clickup-token";
const KEY: &str = "write a key of the Secret's data: letters, digits, '-', '_' and '.', such as token";
const CONNECTION_NAME: &str =
    "write the name of a ClickUpConnection: lower case letters, digits, '-' and '.', such as release-bot";
const ITS_NAMESPACE: &str =
    "write the name of a namespace: lower case letters, digits and '-', such as platform";
const NAMESPACE: &str = "write the name of a namespace: lower case letters, digits and '-', such as payments";
const LABELS: &str = "write labels by their names: letters, digits, '-', '_' and '.', with or without a prefix, such as team or example.com/team";
const LABEL: &str = "write the name of a label: letters, digits, '-', '_' and '.', with or without a prefix, such as team or example.com/team";
const LABEL_VALUE: &str = "write the value of a label: letters, digits, '-', '_' and '.', with a letter or digit at both ends, such as payments";
const VALUES: &str = "write values beside In and NotIn, and none beside Exists and DoesNotExist";

const NO_SUBDOMAINS: [&str; 11] = ["Clickup", "a_b", "-a", "a-", "a..b", ".a", "a.", "a b", "ü", "a/b", ""];
const NO_DNS_LABELS: [&str; 9] = ["Payments", "a_b", "-a", "a-", "a.b", "a b", "ü", "a/b", ""];
const NO_LABELS: [&str; 10] = ["a b", "-a", "a-", "ü", "/a", "a/", "a/b/c", "Example.com/a", "a_b/c", ""];
const NO_LABEL_VALUES: [&str; 6] = ["a b", "-a", "a-", "a/b", "ü", "*"];

/// A connection that uses another's token. `spec` may name the other.
pub fn referrer(mut spec: Value) -> Value {
    spec["tokenSecretRef"] = Value::Null;
    if spec.get("connectionRef").is_none() {
        spec["connectionRef"] = json!({"namespace": "platform", "name": "release-bot"});
    }
    json!({"spec": spec})
}

fn shared(sharing: Value) -> Value {
    json!({"spec": {"sharing": sharing}})
}

fn selected(selector: Value) -> Value {
    shared(json!({"scope": "Namespaces", "namespaceSelector": selector}))
}

pub fn refused() -> Vec<Row> {
    let mut rows = one_source();
    rows.extend(secret_reference());
    rows.extend(connection_reference());
    rows.extend(sharing());
    rows.extend(selector());
    rows.extend(expressions());
    let token_type = Place { name: "spec.tokenType", put: &|value| json!({"spec": {"tokenType": value}}) };
    rows.extend(token_type.not_in(&["personal", "", "Oauth"], r#""Personal", "OAuth""#));
    rows
}

fn one_source() -> Vec<Row> {
    let spec = Place { name: "spec", put: &|value| value };
    let one = "write exactly one of tokenSecretRef, for a token in a Secret of this namespace, and connectionRef, for the token of a connection that shares it";
    let other = json!({"namespace": "platform", "name": "release-bot"});
    let neither = json!({"spec": {"tokenSecretRef": null}});
    let mut rows = spec.rule(one, [neither, json!({"spec": {"connectionRef": other}})]);
    rows.extend(
        spec.rule(
            "a connection that uses another's token by connectionRef cannot share it on: leave out sharing",
            [
                json!({}),
                json!({"scope": "Private"}),
                json!({"scope": "Cluster"}),
                json!({"scope": "Namespaces", "namespaces": ["a"]}),
            ]
            .map(|sharing| referrer(json!({"sharing": sharing}))),
        ),
    );
    rows.extend(spec.rule(
        "the connection that holds the token declares its type: leave out tokenType beside connectionRef",
        [referrer(json!({"tokenType": "OAuth"}))],
    ));
    rows.extend(spec.rule(
        "there is no Secret of this namespace to bind to beside connectionRef: leave out binding, or use tokenSecretRef",
        [referrer(json!({"binding": {"enabled": true}}))],
    ));
    rows
}

fn secret_reference() -> Vec<Row> {
    let put = |member: &'static str| move |value| json!({"spec": {"tokenSecretRef": {member: value}}});
    let name = Place { name: "spec.tokenSecretRef.name", put: &put("name") };
    let key = Place { name: "spec.tokenSecretRef.key", put: &put("key") };
    let mut rows = name.texts(SECRET_NAME, &NO_SUBDOMAINS);
    rows.extend(key.texts(KEY, &["a b", "a/b", "ü", ""]));
    rows.extend([name.pattern("A_b"), name.too_short(), name.too_long(253)]);
    rows.extend([key.pattern("a b"), key.too_short(), key.too_long(253)]);
    rows.push(row(
        "spec.tokenSecretRef required name",
        json!({"spec": {"tokenSecretRef": {"name": null}}}),
        &["spec.tokenSecretRef.name: Required value"],
    ));
    rows
}

fn connection_reference() -> Vec<Row> {
    let name = |value| referrer(json!({"connectionRef": {"namespace": "platform", "name": value}}));
    let name = Place { name: "spec.connectionRef.name", put: &name };
    let namespace = |value| referrer(json!({"connectionRef": {"namespace": value, "name": "release-bot"}}));
    let namespace = Place { name: "spec.connectionRef.namespace", put: &namespace };
    let mut rows = name.texts(CONNECTION_NAME, &NO_SUBDOMAINS);
    rows.extend(namespace.texts(ITS_NAMESPACE, &NO_DNS_LABELS));
    rows.extend([name.pattern("A_b"), name.too_short(), name.too_long(253)]);
    rows.extend([namespace.pattern("a.b"), namespace.too_short(), namespace.too_long(63)]);
    for (missing, reference) in [("name", json!({"namespace": "a"})), ("namespace", json!({"name": "a"}))] {
        rows.push(row(
            &format!("spec.connectionRef required {missing}"),
            referrer(json!({"connectionRef": reference})),
            &[&format!("spec.connectionRef.{missing}: Required value")],
        ));
    }
    rows
}

fn sharing() -> Vec<Row> {
    let place = Place { name: "spec.sharing", put: &shared };
    let mut rows = place.rule(
        "say which namespaces: write namespaces or namespaceSelector beside scope: Namespaces",
        [json!({"scope": "Namespaces"}), json!({"scope": "Namespaces", "namespaces": []})],
    );
    rows.extend(place.rule(
        "namespaces and namespaceSelector need scope: Namespaces: write it, or leave them out",
        [
            json!({"namespaces": ["a"]}),
            json!({"namespaceSelector": {}}),
            json!({"scope": "Private", "namespaces": ["a"]}),
            json!({"scope": "Cluster", "namespaces": ["a"]}),
            json!({"scope": "Cluster", "namespaceSelector": {}}),
        ],
    ));
    let scope = Place { name: "spec.sharing.scope", put: &|value| shared(json!({"scope": value})) };
    rows.extend(scope.not_in(&["cluster", "All", ""], r#""Private", "Namespaces", "Cluster""#));

    let list = |value| shared(json!({"scope": "Namespaces", "namespaces": value}));
    let list = Place { name: "spec.sharing.namespaces", put: &list };
    rows.push(list.too_many(100, |i| json!(format!("n{i}"))));
    rows.push(list.row("set", json!(["a", "b", "a"]), r#"spec.sharing.namespaces[2]: Duplicate value: "a""#));
    let item = |value| shared(json!({"scope": "Namespaces", "namespaces": ["a", value]}));
    let item = Place { name: "spec.sharing.namespaces[]", put: &item };
    rows.extend(item.texts(NAMESPACE, &NO_DNS_LABELS));
    rows.extend([item.pattern("A"), item.too_short(), item.too_long(63)]);
    rows
}

fn selector() -> Vec<Row> {
    const LABELS_AT: &str = "spec.sharing.namespaceSelector.matchLabels";
    let labels = Place { name: LABELS_AT, put: &|value| selected(json!({"matchLabels": value})) };
    let long = [format!("{}/a", "x".repeat(254)), "x".repeat(64)];
    let keys = NO_LABELS.into_iter().chain(long.iter().map(String::as_str));
    let mut rows = labels.rule(LABELS, keys.map(|key| json!({"team": "a", key: "b"})));
    let many: Value = (0..21).map(|i| (format!("l{i}"), json!("a"))).collect();
    rows.push(labels.row("maxProperties", many, "Too many: 21: must have at most 20 items"));

    let value = |value| selected(json!({"matchLabels": {"team": value}}));
    let value = Place { name: &format!("{LABELS_AT}.*"), put: &value };
    rows.extend(value.texts(LABEL_VALUE, &NO_LABEL_VALUES));
    rows.push(value.too_long(63));
    rows
}

fn expressions() -> Vec<Row> {
    const AT: &str = "spec.sharing.namespaceSelector.matchExpressions";
    let list = Place { name: AT, put: &|value| selected(json!({"matchExpressions": value})) };
    let mut rows = vec![list.too_many(20, |_| json!({"key": "a", "operator": "Exists"}))];

    let put = |value| selected(json!({"matchExpressions": [value]}));
    let expression = Place { name: &format!("{AT}[]"), put: &put };
    rows.extend(expression.rule(
        VALUES,
        [
            json!({"key": "a", "operator": "In"}),
            json!({"key": "a", "operator": "In", "values": []}),
            json!({"key": "a", "operator": "NotIn"}),
            json!({"key": "a", "operator": "Exists", "values": ["a"]}),
            json!({"key": "a", "operator": "DoesNotExist", "values": ["a"]}),
        ],
    ));
    rows.push(expression.row("required key", json!({"operator": "Exists"}), "key: Required value"));
    rows.push(expression.row("required operator", json!({"key": "a"}), "operator: Required value"));

    let key = |value| put(json!({"key": value, "operator": "Exists"}));
    let key = Place { name: &format!("{AT}[].key"), put: &key };
    rows.extend(key.texts(LABEL, &NO_LABELS));
    rows.extend(key.texts(LABEL, &[&"x".repeat(64)]));
    rows.extend([key.too_short(), key.too_long(317)]);

    let operator = |value| put(json!({"key": "a", "operator": value, "values": ["a"]}));
    let operator = Place { name: &format!("{AT}[].operator"), put: &operator };
    rows.extend(operator.not_in(&["in", "Equals", "=", ""], r#""In", "NotIn", "Exists", "DoesNotExist""#));

    let values = |value| put(json!({"key": "a", "operator": "In", "values": value}));
    let list = Place { name: &format!("{AT}[].values"), put: &values };
    rows.push(list.too_many(50, |i| json!(i.to_string())));
    let value = |value| values(json!(["a", value]));
    let value = Place { name: &format!("{AT}[].values[]"), put: &value };
    rows.extend(value.texts(LABEL_VALUE, &NO_LABEL_VALUES));
    rows.push(value.too_long(63));
    rows
}

pub fn accepted() -> Vec<Value> {
    let long = "x".repeat(63);
    let qualified = format!("{}/{long}", "x".repeat(253));
    let namespaces: Vec<_> = (0..100).map(|i| format!("n{i}")).collect();
    let labels: Value = (0..20).map(|i| (format!("l{i}"), json!(long))).collect();
    let values: Vec<_> = (0..50).map(|i| i.to_string()).collect();
    let mut patches = vec![
        json!({"spec": {"tokenSecretRef": {"name": "a", "key": "A.b_c-9"}}}),
        json!({"spec": {"tokenSecretRef": {"name": "0.a-b.c9"}}}),
        json!({"spec": {"tokenSecretRef": {"name": "x".repeat(253), "key": "x".repeat(253)}}}),
        json!({"spec": {"tokenType": "Personal"}}),
        json!({"spec": {"tokenType": "OAuth"}}),
        json!({"spec": {"tokenType": "OAuth", "sharing": {"scope": "Cluster"}, "binding": {"enabled": true}}}),
        json!({"spec": {"binding": {}}}),
        json!({"spec": {"binding": {"enabled": false}}}),
        referrer(json!({})),
        referrer(json!({"connectionRef": {"namespace": long, "name": "x".repeat(253)}})),
        referrer(json!({"connectionRef": {"namespace": "0-a", "name": "0.a-b.c9"}})),
        // As it comes back, with its defaults.
        referrer(json!({"tokenType": "Personal", "binding": {"enabled": false}, "suspend": false})),
        referrer(json!({
            "requiredWorkspaces": [{"name": "Acme"}],
            "channel": {"id": "1"},
            "access": [{"task": {"id": "1"}}],
            "minimumRole": "Owner",
            "interval": "1h",
            "binding": {},
        })),
    ];
    patches.extend(
        [
            json!({}),
            json!({"scope": "Private"}),
            json!({"scope": "Private", "namespaces": []}),
            json!({"scope": "Cluster"}),
            json!({"scope": "Namespaces", "namespaces": ["a"]}),
            json!({"scope": "Namespaces", "namespaces": [long]}),
            json!({"scope": "Namespaces", "namespaces": namespaces}),
            json!({"scope": "Namespaces", "namespaces": [], "namespaceSelector": {}}),
            json!({"scope": "Namespaces", "namespaces": ["0", "a-b"], "namespaceSelector": {"matchLabels": {"a": "b"}}}),
        ]
        .map(shared),
    );
    patches.extend(
        [
            json!({}),
            json!({"matchLabels": {}}),
            json!({"matchLabels": {"kubernetes.io/metadata.name": "a", "Team_1": "A.b-C_9", "empty": ""}}),
            json!({"matchLabels": labels}),
            json!({"matchLabels": {qualified.as_str(): long}}),
            json!({"matchExpressions": []}),
            json!({"matchExpressions": vec![json!({"key": qualified, "operator": "In", "values": values}); 20]}),
            json!({"matchExpressions": [
                {"key": "a", "operator": "NotIn", "values": ["", "b"]},
                {"key": "example.com/a", "operator": "Exists", "values": []},
                {"key": "a", "operator": "DoesNotExist"},
            ]}),
        ]
        .map(selected),
    );
    patches
}
