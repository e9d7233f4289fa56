//! Label selectors as they are written for kubectl, for the flag that makes this process one of several shards. The API
//! server reads them: what it would refuse at every watch is refused at the start, with a word on what to write.

use std::{fmt, str::FromStr};

/// A selector of labels that the API server understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelSelector(String);

/// A text that is not a label selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{problem}; write requirements separated by commas, such as \"shard=a\", \"shard!=a\", \"shard in (a,b)\", \"shard\" or \"!shard\""
)]
pub struct InvalidSelector {
    problem: String,
}

fn invalid(problem: impl Into<String>) -> InvalidSelector {
    InvalidSelector { problem: problem.into() }
}

impl FromStr for LabelSelector {
    type Err = InvalidSelector;

    fn from_str(text: &str) -> Result<Self, InvalidSelector> {
        // Empty it would select everything: a variable that was forgotten must not make two shards of all.
        for requirement in requirements(text) {
            check(requirement.trim())?;
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands between commas, except those in parentheses.
fn requirements(text: &str) -> impl Iterator<Item = &str> {
    let mut within = false;
    text.split(move |c| {
        within = (within || c == '(') && c != ')';
        c == ',' && !within
    })
}

fn check(requirement: &str) -> Result<(), InvalidSelector> {
    if requirement.is_empty() {
        return Err(invalid("a requirement is empty"));
    }
    if let Some(key) = requirement.strip_prefix('!') {
        return check_key(key.trim());
    }
    if let Some((head, values)) = requirement.split_once('(') {
        let Some(values) = values.strip_suffix(')') else {
            return Err(invalid(format!("{requirement:?} lacks the closing parenthesis at its end")));
        };
        return match head.split_whitespace().collect::<Vec<_>>()[..] {
            [key, "in" | "notin"] => {
                check_key(key)?;
                values.split(',').try_for_each(|value| check_value(value.trim()))
            }
            _ => Err(invalid(format!("{requirement:?} has neither \"in\" nor \"notin\" before its values"))),
        };
    }
    for operator in ["!=", "==", "="] {
        if let Some((key, value)) = requirement.split_once(operator) {
            check_key(key.trim())?;
            return check_value(value.trim());
        }
    }
    if let Some((key, number)) = requirement.split_once(['<', '>']) {
        check_key(key.trim())?;
        let number = number.trim();
        return match number.parse::<i64>() {
            Ok(_) => check_value(number),
            Err(_) => Err(invalid(format!("{number:?} is not a whole number"))),
        };
    }
    check_key(requirement)
}

fn check_key(key: &str) -> Result<(), InvalidSelector> {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if is_name(name) && prefix.is_none_or(is_subdomain) {
        Ok(())
    } else {
        Err(invalid(format!("{key:?} cannot be the key of a label")))
    }
}

fn check_value(value: &str) -> Result<(), InvalidSelector> {
    if value.is_empty() || is_name(value) {
        Ok(())
    } else {
        Err(invalid(format!("{value:?} cannot be the value of a label")))
    }
}

fn is_name(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.len() <= 63 && ends(text.chars().next()) && ends(text.chars().next_back()) && text.chars().all(inner)
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_dns_label)
}

/// Whether a text can be the name of a namespace, length aside.
pub(super) fn is_dns_label(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(alphanumeric)
        && text.ends_with(alphanumeric)
        && text.chars().all(|c| alphanumeric(c) || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tests/tenancy` holds such rows against the API server's answer.
    #[test]
    fn what_is_wrong_is_named() {
        for (text, problem) in [
            ("", "a requirement is empty"),
            ("shard=a,", "a requirement is empty"),
            ("shard=a=b", "\"a=b\" cannot be the value of a label"),
            ("my shard=a", "\"my shard\" cannot be the key of a label"),
            ("shard in (a,b", "\"shard in (a,b\" lacks the closing parenthesis at its end"),
            ("shard of (a,b)", "\"shard of (a,b)\" has neither \"in\" nor \"notin\" before its values"),
            ("shard>b", "\"b\" is not a whole number"),
            ("!Example.com/shard", "\"Example.com/shard\" cannot be the key of a label"),
        ] {
            let error = text.parse::<LabelSelector>().unwrap_err();
            assert_eq!(error.problem, problem, "{text}");
            assert!(error.to_string().contains("write requirements separated by commas"), "{error}");
        }
        for text in ["shard=a", "shard in (a, b),!old", " example.com/shard notin (a) , n > 1"] {
            assert_eq!(text.parse::<LabelSelector>().unwrap().to_string(), text);
        }
    }
}
