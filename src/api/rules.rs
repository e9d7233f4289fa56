//! The rules of the schema that the operator relies on, for objects stored before the schema had them.

use super::{
    AccessRef, ChannelRef, ClickUpConnectionSpec, Duration, LabelExpression, LabelOperator,
    NamespaceSelector, SecretKeyRef, SharedConnectionRef, Sharing, SharingScope, SpaceRef, TokenType,
    WorkspaceRef,
};

/// A stored spec that breaks a rule which the API server enforces today.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("spec{path}: {rule}")]
pub struct InvalidSpec {
    /// From the spec on, such as `.access[3].task.id`.
    path: String,
    rule: &'static str,
}

type Checked = Result<(), InvalidSpec>;

/// A field, whether it keeps the rule, and what to write there. The empty path is the checked value itself.
fn rule(path: &str, holds: bool, rule: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(InvalidSpec { path: path.to_owned(), rule }) }
}

fn within<T>(path: &str, value: Option<&T>, check: fn(&T) -> Checked) -> Checked {
    value.map_or(Ok(()), check).map_err(|e| InvalidSpec { path: format!("{path}{}", e.path), ..e })
}

fn within_each<T>(path: &str, values: &[T], check: fn(&T) -> Checked) -> Checked {
    let broken = values.iter().enumerate().find_map(|(i, value)| Some((i, check(value).err()?)));
    broken.map_or(Ok(()), |(i, e)| Err(InvalidSpec { path: format!("{path}[{i}]{}", e.path), ..e }))
}

impl ClickUpConnectionSpec {
    /// Checks the rules.
    ///
    /// # Errors
    /// Names the first field that breaks a rule, and what to write.
    pub fn validate(&self) -> Result<(), InvalidSpec> {
        let Self {
            display_name: _,
            description: _,
            token_secret_ref,
            token_type,
            connection_ref,
            sharing,
            default_workspace,
            required_workspaces,
            channel,
            access,
            minimum_role: _,
            interval,
            timeout,
            outage_grace_period,
            suspend: _,
            binding,
        } = self;
        let refers = connection_ref.is_some();
        let one_source = token_secret_ref.is_some() != refers;
        rule("", one_source, "write exactly one of tokenSecretRef and connectionRef")?;
        within(".tokenSecretRef", token_secret_ref.as_ref(), SecretKeyRef::check)?;
        within(".connectionRef", connection_ref.as_deref(), SharedConnectionRef::check)?;
        const BESIDE: &str = "leave it out beside connectionRef";
        rule(".tokenType", !refers || *token_type == TokenType::Personal, BESIDE)?;
        rule(".sharing", !refers || sharing.is_none(), BESIDE)?;
        rule(".binding", !refers || !binding.enabled, BESIDE)?;
        within(".sharing", sharing.as_deref(), Sharing::check)?;

        within(".defaultWorkspace", default_workspace.as_deref(), WorkspaceRef::check)?;
        rule(".requiredWorkspaces", required_workspaces.len() <= 20, "write at most 20")?;
        within_each(".requiredWorkspaces", required_workspaces, WorkspaceRef::check)?;
        within(".channel", channel.as_deref(), ChannelRef::check)?;
        rule(".access", access.len() <= 50, "write at most 50")?;
        within_each(".access", access, AccessRef::check)?;

        let (second, minute, day) =
            (Duration::from_secs(1), Duration::from_mins(1), Duration::from_mins(24 * 60));
        rule(".interval", (minute..=day).contains(interval), "write a duration from 1m to 24h")?;
        let five = Duration::from_mins(5);
        rule(".timeout", (second..=five).contains(timeout), "write a duration from 1s to 5m")?;
        rule(".timeout", timeout <= interval, "write a duration that is not longer than interval")?;
        rule(".outageGracePeriod", *outage_grace_period <= day, "write a duration from 0s to 24h")
    }
}

impl SecretKeyRef {
    fn check(&self) -> Checked {
        rule(".name", subdomain(&self.name), "write the name of a Secret")?;
        let key = (1..=253).contains(&self.key.len()) && self.key.bytes().all(in_label);
        rule(".key", key, "write a key of the Secret's data")
    }
}

impl SharedConnectionRef {
    fn check(&self) -> Checked {
        rule(".namespace", dns_label(&self.namespace), "write the name of a namespace")?;
        rule(".name", subdomain(&self.name), "write the name of a ClickUpConnection")
    }
}

impl Sharing {
    fn check(&self) -> Checked {
        let some = !self.namespaces.is_empty() || self.namespace_selector.is_some();
        let scoped = some == (self.scope == SharingScope::Namespaces);
        rule("", scoped, "write namespaces or namespaceSelector with scope: Namespaces, and only with it")?;
        rule(".namespaces", self.namespaces.len() <= 100, "write at most 100")?;
        within_each(".namespaces", &self.namespaces, |n| {
            rule("", dns_label(&n.0), "write the name of a namespace")
        })?;
        within(".namespaceSelector", self.namespace_selector.as_ref(), NamespaceSelector::check)
    }
}

impl NamespaceSelector {
    fn check(&self) -> Checked {
        rule(".matchLabels", self.match_labels.len() <= 20, "write at most 20")?;
        let labels = self.match_labels.iter().all(|(key, value)| label(key) && label_value(&value.0));
        rule(".matchLabels", labels, "write names and values of labels")?;
        rule(".matchExpressions", self.match_expressions.len() <= 20, "write at most 20")?;
        within_each(".matchExpressions", &self.match_expressions, LabelExpression::check)
    }
}

impl LabelExpression {
    fn check(&self) -> Checked {
        rule(".key", label(&self.key), "write the name of a label")?;
        let listing = matches!(self.operator, LabelOperator::In | LabelOperator::NotIn);
        const VALUES: &str = "write values beside In and NotIn, and none beside Exists and DoesNotExist";
        rule("", listing != self.values.is_empty(), VALUES)?;
        rule(".values", self.values.len() <= 50, "write at most 50")?;
        rule(".values", self.values.iter().all(|v| label_value(&v.0)), "write values of labels")
    }
}

const ONE: &str = "write exactly one of id and name";
const NAME: &str = "write a name of 1 to 256 characters";
const DIGITS: &str = "write an id of 1 to 20 digits";
const WORD: &str = "write an id of 1 to 64 letters, digits, '-' and '_'";

/// The rules of a reference by id or by name.
fn check_reference(
    id: Option<&String>,
    name: Option<&String>,
    is_id: fn(&str) -> bool,
    rule_of_id: &'static str,
) -> Checked {
    rule("", id.is_some() != name.is_some(), ONE)?;
    rule(".id", id.is_none_or(|id| is_id(id)), rule_of_id)?;
    rule(".name", name.is_none_or(|name| (1..=256).contains(&name.chars().count())), NAME)
}

impl WorkspaceRef {
    fn check(&self) -> Checked {
        check_reference(self.id.as_ref(), self.name.as_ref(), digits, DIGITS)
    }
}

impl ChannelRef {
    fn check(&self) -> Checked {
        check_reference(self.id.as_ref(), self.name.as_ref(), word, WORD)
    }
}

impl SpaceRef {
    fn check(&self) -> Checked {
        check_reference(self.id.as_ref(), self.name.as_ref(), digits, DIGITS)
    }
}

impl AccessRef {
    fn check(&self) -> Checked {
        let Self { space, folder, list, task } = self;
        let there = [space.is_some(), folder.is_some(), list.is_some(), task.is_some()];
        let one = there.into_iter().filter(|there| *there).count() == 1;
        rule("", one, "write exactly one of space, folder, list and task")?;
        within(".space", space.as_ref(), SpaceRef::check)?;
        within(".folder", folder.as_ref(), |folder| rule(".id", digits(&folder.id), DIGITS))?;
        within(".list", list.as_ref(), |list| rule(".id", digits(&list.id), DIGITS))?;
        within(".task", task.as_ref(), |task| rule(".id", word(&task.id), WORD))
    }
}

fn digits(id: &str) -> bool {
    (1..=20).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit())
}

fn word(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn dns_label(name: &str) -> bool {
    name.len() <= 63 && dns(name)
}

fn subdomain(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(dns)
}

fn dns(part: &str) -> bool {
    let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    spelled(part, edge, |b| edge(b) || b == b'-')
}

fn label(name: &str) -> bool {
    let (prefix, name) = name.split_once('/').map_or((None, name), |(prefix, name)| (Some(prefix), name));
    prefix.is_none_or(subdomain) && !name.is_empty() && label_value(name)
}

fn label_value(value: &str) -> bool {
    value.is_empty() || (value.len() <= 63 && spelled(value, |b| b.is_ascii_alphanumeric(), in_label))
}

fn in_label(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')
}

/// Whether there is a first and a last byte, and they and all between are good.
fn spelled(text: &str, edge: impl Fn(u8) -> bool, inner: impl Fn(u8) -> bool) -> bool {
    let ends = [text.bytes().next(), text.bytes().next_back()];
    ends.into_iter().all(|end| end.is_some_and(&edge)) && text.bytes().all(inner)
}

/// Held against the API server, rule by rule, in `tests/schema`.
#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn names_and_ids_are_spelled_so() {
        let of = |n: usize| "a".repeat(n);
        let (l20, l21) = ("1".repeat(20), "1".repeat(21));
        let (l63, l64, l65, l253, l254) = (of(63), of(64), of(65), of(253), of(254));
        let (prefixed, too_long) = (format!("{l253}/{l63}"), format!("{l254}/a"));
        type Rule = fn(&str) -> bool;
        let rules: [(Rule, &[&str], &[&str]); 7] = [
            (digits, &["1", &l20], &["", &l21, "1a", "-1"]),
            (word, &["aZ9-_", "-", "_", &l64], &["", &l65, "a.b", "a b"]),
            (dns_label, &["a", "a-1", "1a", &l63], &["", &l64, "-a", "a-", "A", "a.b", "a_b"]),
            (subdomain, &["a", "a.b-c.1", &l253], &["", &l254, "a..b", ".a", "a.", "a.-b", "a_b"]),
            (
                label,
                &["a", "a/b", "a.b/C_d", &prefixed],
                &["", "a/", "/a", "A/b", "a/b/c", "-a", &too_long, &l64],
            ),
            (label_value, &["", "a", "A_b-c.1", &l63], &[&l64, "-a", "a-", "a/b", "_"]),
            (|text| text.bytes().all(in_label), &["aZ9-_."], &["/", " ", "ä"]),
        ];
        for (n, (rule, good, bad)) in rules.into_iter().enumerate() {
            for text in good {
                assert!(rule(text), "{n}: {text:?}");
            }
            for text in bad {
                assert!(!rule(text), "{n}: {text:?}");
            }
        }
    }

    #[test]
    fn specs_keep_the_bounds() {
        let keeps = |patch: Value| {
            let mut spec = json!({"tokenSecretRef": {"name": "s"}});
            spec.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
            serde_json::from_value::<ClickUpConnectionSpec>(spec).unwrap().validate().is_ok()
        };
        let selector =
            |selector: Value| json!({"sharing": {"scope": "Namespaces", "namespaceSelector": selector}});
        let expression = |operator: &str, values: Value| {
            selector(json!({"matchExpressions": [{"key": "a", "operator": operator, "values": values}]}))
        };
        let many = |n: usize| Value::from_iter((0..n).map(|n| n.to_string()));
        let (long, too_long) = ("k".repeat(253), "k".repeat(254));
        for (patch, good) in [
            (json!({"interval": "24h", "outageGracePeriod": "24h"}), true),
            (json!({"interval": "24h1s"}), false),
            (json!({"outageGracePeriod": "24h1s"}), false),
            (json!({"tokenSecretRef": {"name": "s", "key": "a.B_c-1"}}), true),
            (json!({"tokenSecretRef": {"name": "s", "key": long}}), true),
            (json!({"tokenSecretRef": {"name": "s", "key": too_long}}), false),
            (json!({"tokenSecretRef": {"name": "s", "key": ""}}), false),
            (json!({"tokenSecretRef": {"name": "s", "key": "a/b"}}), false),
            (selector(json!({"matchLabels": {"a": "b"}})), true),
            (selector(json!({"matchLabels": {"a": "-"}})), false),
            (selector(json!({"matchLabels": {"-": "b"}})), false),
            (expression("In", many(50)), true),
            (expression("In", many(51)), false),
            (expression("NotIn", many(0)), false),
            (expression("Exists", many(0)), true),
            (expression("DoesNotExist", many(1)), false),
        ] {
            assert_eq!(keeps(patch.clone()), good, "{patch}");
        }
    }
}
