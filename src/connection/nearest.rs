//! Finding things of ClickUp's by id or name, and what may have been meant where there is none.

use super::audience::{self, LISTED, labelled};
use crate::{
    api::Resolved,
    clickup::{Named, Workspace},
};
use std::collections::BTreeSet;

/// How many names may be near.
const NEAREST: usize = 3;
/// What of a name is compared, in characters: the work for one name is bounded by its square.
const COMPARED: usize = 64;
/// The shortest text that says something by being a part of another.
const TELLING: usize = 4;

/// How a spec refers to something: by id or by name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted<'a> {
    Id(&'a str),
    Name(&'a str),
}

/// Something that the token sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen<'a> {
    pub(super) id: &'a str,
    pub(super) name: Option<&'a str>,
}

/// What a reference finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    One(Seen<'a>),
    None,
    /// Several of one name, by id.
    Several(Vec<Seen<'a>>),
}

impl<'a> Wanted<'a> {
    /// A reference of which the schema requires exactly one of both.
    pub(super) fn of(id: Option<&'a str>, name: Option<&'a str>) -> Self {
        id.map_or(Self::Name(name.unwrap_or_default()), Self::Id)
    }

    fn key<'s>(self, seen: &Seen<'s>) -> Option<&'s str> {
        match self {
            Self::Id(_) => Some(seen.id),
            Self::Name(_) => seen.name,
        }
    }

    fn text(self) -> &'a str {
        let (Self::Id(text) | Self::Name(text)) = self;
        text
    }
}

impl<'a> Seen<'a> {
    /// Shorter ids are older ones.
    fn order(&self) -> (usize, &'a str) {
        (self.id.len(), self.id)
    }

    fn label(&self) -> String {
        labelled(self.id, self.name)
    }
}

impl<'a> From<&'a Workspace> for Seen<'a> {
    fn from(workspace: &'a Workspace) -> Self {
        Self { id: &workspace.id, name: workspace.name.as_deref() }
    }
}

impl<'a> From<&'a Named> for Seen<'a> {
    fn from(named: &'a Named) -> Self {
        Self { id: &named.id, name: named.name.as_deref() }
    }
}

impl From<Seen<'_>> for Resolved {
    fn from(seen: Seen<'_>) -> Self {
        Self { id: seen.id.to_owned(), name: seen.name.map(str::to_owned) }
    }
}

/// Finds what a reference means: the id, or exactly the name.
pub(super) fn find<'a>(wanted: Wanted<'_>, seen: impl Iterator<Item = Seen<'a>>) -> Found<'a> {
    let hits = in_order(seen.filter(|s| wanted.key(s) == Some(wanted.text())));
    match hits.as_slice() {
        [] => Found::None,
        [one] => Found::One(*one),
        _ => Found::Several(hits),
    }
}

/// What may have been meant by a reference that finds nothing, within so many bytes: what is nearest, or else the first
/// few of all.
pub(super) fn instead<'a>(wanted: Wanted<'_>, seen: impl Iterator<Item = Seen<'a>>, room: usize) -> String {
    let mut seen = in_order(seen);
    let near = nearest(wanted.text(), seen.iter().filter_map(|s| wanted.key(s)));
    if !near.is_empty() {
        let rank = |s: &Seen<'_>| near.iter().position(|n| wanted.key(s) == Some(n));
        seen.retain(|s| rank(s).is_some());
        seen.sort_by_key(rank);
    }
    listed(&seen, ", but ", room)
}

/// The first few, after an introduction, within so many bytes; nothing of nothing.
pub(super) fn listed(seen: &[Seen<'_>], introduction: &str, room: usize) -> String {
    let labels: Vec<_> = seen.iter().take(LISTED).map(Seen::label).collect();
    let beyond = seen.len() - labels.len();
    match audience::listed(&labels, beyond, room.saturating_sub(introduction.len())) {
        list if list.is_empty() => list,
        list => format!("{introduction}{list}"),
    }
}

/// The ids of several of one name, within so many bytes.
pub(super) fn ids(seen: &[Seen<'_>], introduction: &str, room: usize) -> String {
    let ids: Vec<_> = seen.iter().map(|s| Seen { name: None, ..*s }).collect();
    listed(&ids, introduction, room)
}

/// Each id once, in an order that does not depend on ClickUp's.
fn in_order<'a>(seen: impl Iterator<Item = Seen<'a>>) -> Vec<Seen<'a>> {
    let mut seen: Vec<_> = seen.collect();
    seen.sort_by(|a, b| (a.order(), a.name).cmp(&(b.order(), b.name)));
    seen.dedup_by(|a, b| a.id == b.id);
    seen
}

/// The names that could be meant by one that was written, at most three, the most alike first.
pub(super) fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = Folded::new(wanted);
    let mut ranked = BTreeSet::new();
    for name in names {
        if let Some(difference) = wanted.difference(&Folded::new(name)) {
            ranked.insert((difference, name));
            if ranked.len() > NEAREST {
                ranked.pop_last();
            }
        }
    }
    ranked.into_iter().map(|(_, name)| name).collect()
}

/// How two names differ that one could stand for the other, the more alike the less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    Case,
    Slips(usize),
    Part(usize),
}

/// A name as it is compared: its beginning, in lower case.
struct Folded {
    text: String,
    length: usize,
}

impl Folded {
    fn new(name: &str) -> Self {
        let text: String = name.chars().take(COMPARED).flat_map(char::to_lowercase).take(COMPARED).collect();
        Self { length: text.chars().count(), text }
    }

    fn difference(&self, other: &Self) -> Option<Difference> {
        if self.text == other.text {
            return Some(Difference::Case);
        }
        let (short, long) = if self.length <= other.length { (self, other) } else { (other, self) };
        let missing = long.length - short.length;
        let most = (long.length / 4).max(1);
        let slips = (missing <= most).then(|| strsim::osa_distance(&self.text, &other.text));
        match slips {
            Some(slips) if slips <= most && slips < short.length => Some(Difference::Slips(slips)),
            _ if short.length >= TELLING && long.text.contains(&short.text) => {
                Some(Difference::Part(missing))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_a_name_may_have_slipped() {
        let slips = |other| match Folded::new("abcdefghijkl").difference(&Folded::new(other)) {
            Some(Difference::Slips(n)) => Some(n),
            _ => None,
        };
        assert_eq!((slips("abcdefghi123"), slips("abcdefgh1234")), (Some(3), None));
    }

    #[test]
    fn the_nearest_are_plausible_slips_the_most_alike_first() {
        let cases: [(&str, &[&str], &[&str]); 14] = [
            ("acme", &["Labs", "Acme", "ACME"], &["ACME", "Acme"]),
            (
                "releases",
                &["release", "Releases", "relaeses", "rleeasse", "general"],
                &["Releases", "relaeses", "release"],
            ),
            ("Enginering", &["Marketing", "Engineering", "Sales"], &["Engineering"]),
            (
                "Engineering",
                &["Engineering (EU)", "Platform Engineering", "Eng"],
                &["Engineering (EU)", "Platform Engineering"],
            ),
            ("Platform Engineering", &["Engineering", "Platform"], &["Engineering", "Platform"]),
            ("#general", &["general", "random"], &["general"]),
            ("A", &["B", "C"], &[]),
            ("Dev", &["Deb", "Ops", "Development"], &["Deb"]),
            ("Ops", &["Shops and more"], &[]),
            ("9012345678", &["9012345687", "901234567", "7777777777"], &["901234567", "9012345687"]),
            ("ÄRGER", &["ärger", "Arger"], &["ärger", "Arger"]),
            ("x", &[], &[]),
            ("", &["a", ""], &[""]),
            ("same", &["Same", "Same", "Same", "Same", "sane"], &["Same", "sane"]),
        ];
        for (wanted, names, expected) in cases {
            assert_eq!(nearest(wanted, names.iter().copied()), expected, "{wanted}");
            assert_eq!(nearest(wanted, names.iter().rev().copied()), expected, "{wanted}, reversed");
        }
    }

    #[test]
    fn only_the_beginning_of_a_long_name_is_compared() {
        let name = |beginning: &str, rest: &str| format!("{beginning:x<64}{}", rest.repeat(96));
        let (wanted, names) =
            (name("Team", "ab"), [name("Team", "cd"), name("Trek", "ab"), name("Team", "")]);
        assert_eq!(Folded::new(&wanted).length, COMPARED, "the work for a name is bounded");
        // As far as they are compared, the first and the last are the same.
        assert_eq!(nearest(&wanted, names.iter().map(String::as_str)), [&names[2], &names[0], &names[1]]);
        // What grows in lower case is bounded too.
        assert_eq!(Folded::new(&"İ".repeat(256)).length, COMPARED);
    }

    fn seen<'a>(list: &[(&'a str, &'a str)]) -> Vec<Seen<'a>> {
        list.iter().map(|(id, name)| Seen { id, name: (!name.is_empty()).then_some(*name) }).collect()
    }

    #[test]
    fn a_reference_finds_an_id_or_exactly_a_name() {
        let all = seen(&[("10", "B"), ("9", "B"), ("9", "B"), ("3", "A"), ("4", "")]);
        for (wanted, expected) in [
            (Wanted::Id("3"), Found::One(all[3])),
            (Wanted::Id("9"), Found::One(all[1])),
            (Wanted::Name("A"), Found::One(all[3])),
            (Wanted::Name("B"), Found::Several(vec![all[1], all[0]])),
            (Wanted::Name("a"), Found::None),
            (Wanted::Name("3"), Found::None),
            (Wanted::Id("A"), Found::None),
            (Wanted::Name(""), Found::None),
        ] {
            assert_eq!(find(wanted, all.iter().copied()), expected, "{wanted:?}");
            assert_eq!(find(wanted, all.iter().rev().copied()), expected, "{wanted:?}");
        }
    }

    #[test]
    fn what_could_be_meant_is_what_is_nearest_or_else_the_first_few() {
        let all = seen(&[
            ("10", "Seventh"),
            ("9", "B"),
            ("8", "B"),
            ("7", "Acme"),
            ("4", "Sevente"),
            ("3", ""),
            ("2", "C"),
            ("1", "D"),
        ]);
        for (wanted, room, expected) in [
            (Wanted::Name("acme"), 99, r#", but "Acme" (7)"#),
            (Wanted::Name("SEVENTH"), 99, r#", but "Seventh" (10), "Sevente" (4)"#),
            (Wanted::Name("b"), 99, r#", but "B" (8), "B" (9)"#),
            (Wanted::Name("nope"), 99, r#", but "D" (1), "C" (2), 3, "Sevente" (4), "Acme" (7) and 3 more"#),
            (Wanted::Name("nope"), 30, r#", but "D" (1) and 7 more"#),
            (Wanted::Name("nope"), 12, ", but 8 more"),
            (Wanted::Name("nope"), 5, ""),
            (Wanted::Id("11"), 99, r#", but "Seventh" (10)"#),
        ] {
            assert_eq!(instead(wanted, all.iter().copied(), room), expected, "{wanted:?}");
            assert_eq!(instead(wanted, all.iter().rev().copied(), room), expected, "{wanted:?}");
        }
        assert_eq!(instead(Wanted::Name("x"), [].into_iter(), 99), "");
    }
}
