//! `GET /v2/team`: a stream of bytes → the workspaces of a token.
//!
//! Input: a line of numbers `FROM TO TIMES PIECE...`, then a document. Its bytes FROM..TO come TIMES over, and it arrives in
//! pieces of these lengths, in turn.

use crate::{
    first_line,
    heap::peak_of,
    response::{Delivery, read},
    words,
};
use bytes::Bytes;
use clickup_operator::{
    api::StandardRole,
    clickup::{Answer, Role, TeamsAnswer, Unusable, Workspace},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;
use std::{collections::HashSet, fmt};

const USER: &str = "183";
const LONGEST: usize = 256 * 1024;
const MAX_WORKSPACES: usize = 10_000;
/// Longer ones would themselves be the memory that is measured.
const LONGEST_PIECE: usize = 16 * 1024;

/// What a body of any length may take while it is decoded, besides the workspaces that are kept.
const WORKING_MEMORY: usize = 224 * 1024;

/// What a workspace may take besides its name: its id, and three times its own size, for lists grow by doubling.
const OF_A_WORKSPACE: usize = 3 * size_of::<Workspace>() + 64;
/// In bytes.
const LONGEST_NAME: usize = 256 * 4;
const SMALLEST: &str = r#"{"id":1},"#;

/// A text is held whole while it is read, in a buffer that grows by doubling.
const AT_ONCE: usize = 4;

/// How a document arrives makes no difference, it says what a plain decoder reads in it, and it is never held whole.
pub fn teams(input: &[u8]) {
    let (line, document) = first_line(input);
    let mut numbers = words(line).map(|word| word.parse().unwrap_or(0));
    let mut number = || numbers.next().unwrap_or(0);
    let (from, to, times) = (number(), number(), number());
    let document = repeated(document, from, to, times);
    let lengths: Vec<usize> = numbers.take(32).collect();

    let (whole, _) = decode(vec![document.clone()]);
    let (in_pieces, peak) = decode(pieces(&document, &lengths));
    assert_eq!(in_pieces, whole, "it depends on how it arrives");

    let unambiguous = serde_json::from_slice::<Unambiguous>(&document).is_ok();
    let plain = serde_json::from_slice::<Value>(&document).ok().filter(|_| unambiguous);
    let (workspaces, longest) = match &plain {
        Some(plain) => {
            let expected = workspaces(plain).map_or(Answer::Unusable(Unusable::WrongShape), Answer::Good);
            assert_eq!(whole, expected, "a plain decoder reads something else");
            (plain["teams"].as_array().map_or(0, Vec::len), longest_text(plain))
        }
        // The decoder skips over some of what a plain one cannot read.
        None => (document.len() / SMALLEST.len(), document.len()),
    };
    let names = document.len().min(workspaces * LONGEST_NAME);
    let most = WORKING_MEMORY + workspaces.min(MAX_WORKSPACES) * OF_A_WORKSPACE + names + AT_ONCE * longest;
    assert!(peak <= most, "{peak} bytes, at most {most}, for a document of {}", document.len());
}

fn decode(pieces: Vec<Bytes>) -> (Answer<Vec<Workspace>>, usize) {
    let delivery = Delivery { status: 200, pieces, cut: false, cap: LONGEST as u64 };
    peak_of(|| read(delivery, TeamsAnswer { user_id: USER.into() }))
}

/// A part of it as often as it fits.
fn repeated(document: &[u8], from: usize, to: usize, times: usize) -> Bytes {
    let to = to.min(document.len());
    let part = &document[from.min(to)..to];
    let most = LONGEST.saturating_sub(document.len()) / part.len().max(1);
    let more = part.repeat(times.saturating_sub(1).min(most));
    let mut all = [&document[..to], &more, &document[to..]].concat();
    all.truncate(LONGEST);
    all.into()
}

fn pieces(document: &Bytes, lengths: &[usize]) -> Vec<Bytes> {
    // Empty pieces alone would never come to an end.
    let lengths = if lengths.iter().all(|length| *length == 0) { &[1000] } else { lengths };
    // A long document in the shortest pieces would take too long.
    let mut lengths = lengths.iter().cycle().take(4096).copied();
    let (mut rest, mut pieces) = (document.clone(), Vec::new());
    while !rest.is_empty() {
        let length = lengths.next().unwrap_or(LONGEST_PIECE).min(LONGEST_PIECE);
        pieces.push(rest.split_to(length.min(rest.len())));
    }
    pieces
}

fn longest_text(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(longest_text).max().unwrap_or(0),
        Value::Object(map) => {
            map.iter().map(|(key, value)| key.len().max(longest_text(value))).max().unwrap_or(0)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// The workspaces in a document, the plain way; `None` where it has not their shape.
fn workspaces(document: &Value) -> Option<Vec<Workspace>> {
    let teams = document.as_object()?.get("teams")?.as_array()?;
    let mut workspaces = teams.iter().map(workspace).collect::<Option<Vec<_>>>()?;
    if workspaces.len() > MAX_WORKSPACES {
        return None;
    }
    workspaces.sort_by_key(|w| (w.id.len(), w.id.clone()));
    workspaces.dedup_by(|a, b| a.id == b.id);
    Some(workspaces)
}

fn workspace(team: &Value) -> Option<Workspace> {
    let team = team.as_object()?;
    let id = match team.get("id")? {
        Value::String(id) => Some(id.clone()).filter(|id| crate::is_digits(id)),
        id => id.as_u64().map(|id| id.to_string()),
    };
    let stripped = |name: &str| name.chars().filter(|c| !c.is_control()).take(256).collect();
    let role = match team.get("members") {
        None | Some(Value::Null) => None,
        // A member that comes twice is as it comes last.
        Some(members) => members.as_array()?.iter().map(|m| &m["user"]).rfind(|u| is_user(u)).and_then(role),
    };
    Some(Workspace { id: id?, name: team.get("name").and_then(Value::as_str).map(stripped), role })
}

fn is_user(user: &Value) -> bool {
    number(&user["id"]).is_some_and(|id| id == USER)
}

fn role(user: &Value) -> Option<Role> {
    let standard = |number: String| match number.as_str() {
        "1" => Some(StandardRole::Owner),
        "2" => Some(StandardRole::Admin),
        "3" => Some(StandardRole::Member),
        "4" => Some(StandardRole::Guest),
        _ => None,
    };
    if let Some(custom) = user["custom_role"].as_object() {
        let inherits = custom.get("inherited_role").and_then(number).and_then(standard);
        return Some(Role::Custom { inherits });
    }
    Some(standard(number(&user["role"])?).map_or(Role::Unknown, Role::Standard))
}

fn number(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| crate::is_digits(text)),
        value => value.as_u64().map(|n| n.to_string()).or_else(|| value.as_i64().map(|n| n.to_string())),
    }
}

/// A document in which no object has a field twice: what that means is for each decoder to say.
struct Unambiguous;

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Unambiguous {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self, A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = object.next_key::<String>()? {
            if !seen.insert(key) {
                return Err(A::Error::custom("a field comes twice"));
            }
            object.next_value::<Self>()?;
        }
        Ok(self)
    }
}
