//! One condition's content, without the times and generations that the stored form adds.

use crate::api::{ClickUpConnectionStatus, Condition, ConditionStatus, ConditionType, Conditions, Reason};
use std::collections::BTreeMap;

/// The longest message of a condition, in bytes.
pub(super) const MAX_MESSAGE: usize = 512;

/// What is found about one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// True, False or Unknown.
    pub status: ConditionStatus,
    /// Why.
    pub reason: Reason,
    /// One line that says what to do.
    pub message: String,
}

impl Finding {
    /// A condition that holds.
    pub fn yes(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(ConditionStatus::True, reason, message)
    }

    /// A condition that does not hold.
    pub fn no(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(ConditionStatus::False, reason, message)
    }

    /// A condition that is not known.
    pub fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(ConditionStatus::Unknown, reason, message)
    }

    /// A condition without a verdict for this token and this demand.
    pub fn not_checked() -> Self {
        Self::unknown(Reason::NotChecked, "not checked yet with this token and spec")
    }

    /// Whether it holds.
    pub fn is_true(&self) -> bool {
        self.status == ConditionStatus::True
    }

    /// Whether it does not hold.
    pub fn is_false(&self) -> bool {
        self.status == ConditionStatus::False
    }

    fn new(status: ConditionStatus, reason: Reason, message: impl Into<String>) -> Self {
        Self { status, reason, message: bounded(&message.into(), MAX_MESSAGE) }
    }
}

/// One line, cut at a character within so many bytes.
fn bounded(text: &str, max: usize) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.len() <= max {
        return line;
    }
    let end = (0..=max - '…'.len_utf8()).rev().find(|i| line.is_char_boundary(*i)).unwrap_or_default();
    format!("{}…", &line[..end])
}

/// The findings of one evaluation, in the order of the conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(BTreeMap<ConditionType, Finding>);

impl Findings {
    /// Reads stored conditions.
    pub fn of(conditions: &Conditions) -> Self {
        let finding =
            |c: &Condition| Finding { status: c.status, reason: c.reason, message: c.message.to_string() };
        Self(conditions.iter().map(|c| (c.type_, finding(c))).collect())
    }

    /// Reads a stored status, if there is one.
    pub fn stored(status: Option<&ClickUpConnectionStatus>) -> Self {
        status.map(|status| Self::of(&status.conditions)).unwrap_or_default()
    }

    /// The finding about a condition, if there is one.
    pub fn get(&self, condition: ConditionType) -> Option<&Finding> {
        self.0.get(&condition)
    }

    /// Whether a condition is there and True.
    pub fn holds(&self, condition: ConditionType) -> bool {
        self.get(condition).is_some_and(Finding::is_true)
    }

    /// Sets the finding about a condition.
    pub fn set(&mut self, condition: ConditionType, finding: Finding) {
        self.0.insert(condition, finding);
    }

    /// Takes a finding out.
    pub fn remove(&mut self, condition: ConditionType) {
        self.0.remove(&condition);
    }

    /// All findings, in the order of the conditions.
    pub fn iter(&self) -> impl Iterator<Item = (ConditionType, &Finding)> {
        self.0.iter().map(|(c, f)| (*c, f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_line_of_at_most_512_bytes() {
        let long = Finding::no(Reason::WorkspaceNotFound, "ä\n".repeat(400));
        assert!(
            long.message.len() <= MAX_MESSAGE && long.message.ends_with('…') && !long.message.contains('\n')
        );
        // No more is cut than must be.
        assert!(long.message.len() > MAX_MESSAGE - 'ä'.len_utf8(), "{}", long.message.len());
        assert_eq!(Finding::no(Reason::TokenEmpty, "short").message, "short");
    }
}
