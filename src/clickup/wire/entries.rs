//! Lists of named things: spaces (`GET /v2/team/{id}/space`) and chat channels (`GET /v3/workspaces/{id}/chat/channels`).
//! Of each entry only its id and name are kept.

use super::{Any, Field, Key, Lenient, Name};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::fmt;

/// Entries that one answer may have, many times what ClickUp's have: without a bound tiny ones would take more memory than
/// the body has bytes.
const MAX_ENTRIES: usize = 50_000;

/// Bytes of a cursor, which goes back into a URL.
const MAX_CURSOR: usize = 1024;

/// Something with an id and a name: a space or a chat channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Digits for a space, a text such as `6-901-8` for a channel; at most 64 visible ASCII characters.
    pub id: String,
    /// Not unique; stripped of control characters and cut at 256 characters. May be absent.
    pub name: Option<String>,
}

impl Named {
    /// Brings a list into a stable order, by length and text of the ids as with workspaces, and keeps one of each id.
    /// What the client returns is in this order; of several pages their caller makes one list.
    pub fn sort(list: &mut Vec<Self>) {
        // In place: a stable sort would hold half of it twice.
        list.sort_unstable_by(|a, b| (a.id.len(), &a.id, &a.name).cmp(&(b.id.len(), &b.id, &b.name)));
        list.dedup_by(|a, b| a.id == b.id);
        list.shrink_to_fit();
    }
}

/// One page of the chat channels that a token sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelPage {
    /// The channels, all with a name. Archived ones and direct messages are left out, so that a page may be empty and
    /// still have a next one.
    pub channels: Vec<Named>,
    /// What to ask for the next page with, if there is one.
    pub next: Option<String>,
}

/// Reads the answer to `GET /v2/team/{id}/space`.
pub struct SpacesAnswer;

impl<'de> DeserializeSeed<'de> for SpacesAnswer {
    type Value = Vec<Named>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Named>, D::Error> {
        deserializer.deserialize_map(Field { name: "spaces", value: Entries(Entry::named) })
    }
}

/// Reads the answer to `GET /v3/workspaces/{id}/chat/channels`.
pub struct ChannelsAnswer {
    /// What the page was asked for with, unless it is the first.
    pub cursor: Option<String>,
}

impl<'de> DeserializeSeed<'de> for ChannelsAnswer {
    type Value = ChannelPage;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<ChannelPage, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ChannelsAnswer {
    type Value = ChannelPage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page of channels")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ChannelPage, A::Error> {
        let (mut channels, mut next) = (None, None);
        while let Some(key) = map.next_key::<Key>()? {
            match key.0.as_str() {
                "data" => channels = Some(map.next_value_seed(Entries(Entry::channel))?),
                "next_cursor" => next = map.next_value::<Cursor>()?.0,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if next.is_some() && next == self.cursor {
            return Err(A::Error::custom("the cursor leads back to its own page"));
        }
        Ok(ChannelPage { channels: channels.ok_or_else(|| A::Error::missing_field("data"))?, next })
    }
}

/// A list of entries, of which this function keeps some.
struct Entries(fn(Entry) -> Option<Named>);

impl<'de> DeserializeSeed<'de> for Entries {
    type Value = Vec<Named>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Named>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<Named>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Named>, A::Error> {
        let mut kept = Vec::new();
        while let Some(Any(entry)) = seq.next_element()? {
            if kept.len() == MAX_ENTRIES {
                return Err(A::Error::custom("the list has too many entries"));
            }
            kept.extend((self.0)(entry));
        }
        Named::sort(&mut kept);
        Ok(kept)
    }
}

/// An entry, as far as it matters.
#[derive(Default)]
struct Entry {
    id: EntryId,
    name: Option<String>,
    direct: Direct,
    archived: Archived,
}

impl Entry {
    fn named(self) -> Option<Named> {
        Some(Named { id: self.id.0?, name: self.name })
    }

    /// Direct messages have a type of their own (official) and an empty name or none.
    fn channel(self) -> Option<Named> {
        let is_channel = !self.direct.0 && !self.archived.0;
        self.named().filter(|named| is_channel && named.name.as_deref().is_some_and(|name| !name.is_empty()))
    }
}

impl Lenient for Entry {
    fn object<'de, A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut entry = Self::default();
        while let Some(key) = object.next_key::<Key>()? {
            match key.0.as_str() {
                "id" => entry.id = object.next_value::<Any<_>>()?.0,
                "name" => entry.name = object.next_value::<Any<Name>>()?.0.0,
                "type" => entry.direct = object.next_value::<Any<_>>()?.0,
                "archived" => entry.archived = object.next_value::<Any<_>>()?.0,
                _ => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(entry)
    }
}

/// An id that can be shown and put into a path, or nothing.
#[derive(Default)]
struct EntryId(Option<String>);

impl Lenient for EntryId {
    fn text(text: &str) -> Self {
        let usable = text.len() <= 64
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_graphic());
        Self(usable.then(|| text.to_owned()))
    }

    fn number(number: i128) -> Self {
        Self((number >= 0).then(|| number.to_string()))
    }
}

/// Whether a type is that of direct messages.
#[derive(Default)]
struct Direct(bool);

impl Lenient for Direct {
    fn text(text: &str) -> Self {
        Self(["DM", "GROUP_DM"].iter().any(|direct| text.eq_ignore_ascii_case(direct)))
    }
}

/// Whether something is archived; it is not unless it says so.
#[derive(Default)]
struct Archived(bool);

impl Lenient for Archived {
    fn boolean(yes: bool) -> Self {
        Self(yes)
    }
}

/// A cursor, or none: an empty one and null end a list as well. Others are no reason to believe that it ends.
struct Cursor(Option<String>);

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CursorVisitor;
        impl Visitor<'_> for CursorVisitor {
            type Value = Cursor;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a cursor")
            }

            fn visit_unit<E: Error>(self) -> Result<Cursor, E> {
                Ok(Cursor(None))
            }

            fn visit_u64<E: Error>(self, cursor: u64) -> Result<Cursor, E> {
                Ok(Cursor(Some(cursor.to_string())))
            }

            fn visit_str<E: Error>(self, cursor: &str) -> Result<Cursor, E> {
                match cursor.len() {
                    0 => Ok(Cursor(None)),
                    1..=MAX_CURSOR => Ok(Cursor(Some(cursor.to_owned()))),
                    _ => Err(E::custom("the cursor is too long")),
                }
            }
        }
        deserializer.deserialize_any(CursorVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::read, *};
    use serde_json::{Value, json};

    fn shown(list: &[Named]) -> Vec<(&str, Option<&str>)> {
        list.iter().map(|named| (named.id.as_str(), named.name.as_deref())).collect()
    }

    fn page(answer: Value) -> Result<ChannelPage, serde_json::Error> {
        read(ChannelsAnswer { cursor: Some("here".into()) }, answer)
    }

    #[test]
    fn spaces_are_read_leniently_and_sorted() {
        let answer = json!({"more": {"spaces": 1}, "spaces": [
            {"id": "901", "name": "Twice"},
            {"id": 90, "name": null, "archived": null, "features": {"id": "7", "name": "no"}},
            {"name": "Engi\u{7}neering", "id": "100"},
            {"id": "901", "name": "Again"},
            {"id": "12", "name": "n".repeat(300)},
            {"id": "13", "name": 7},
            {"id": "14", "name": ""},
            {"name": "no id"}, {"id": null}, {"id": ""}, {"id": -1}, {"id": 1.5}, {"id": {}}, {"id": true},
            {"id": ".."}, {"id": "a b"}, {"id": "ü"}, {"id": "x".repeat(65)},
            null, 7, "text", [], {},
        ]});
        let spaces = read(SpacesAnswer, answer).unwrap();
        let long = "n".repeat(256);
        let expected = [
            ("12", Some(long.as_str())),
            ("13", None),
            ("14", Some("")),
            ("90", None),
            ("100", Some("Engineering")),
            ("901", Some("Again")),
        ];
        assert_eq!(shown(&spaces), expected);
        assert_eq!(read(SpacesAnswer, json!({"spaces": []})).unwrap(), []);
        for wrong in [json!({}), json!({"spaces": null}), json!({"spaces": {}}), json!([]), json!("spaces")] {
            assert!(read(SpacesAnswer, wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn direct_messages_and_archived_channels_are_left_out() {
        for (entry, kept) in [
            (json!({"name": "x", "type": "CHANNEL", "visibility": "PUBLIC", "archived": false}), true),
            (json!({"name": "x"}), true),
            (json!({"name": "x", "type": null, "archived": null}), true),
            (json!({"name": "x", "type": "CLIP", "archived": "no"}), true),
            (json!({"name": "x", "type": 7, "parent": {"type": 12, "id": "1", "archived": true}}), true),
            (json!({"name": "DM", "type": "CHANNEL"}), true),
            (json!({"name": "x", "archived": true}), false),
            (json!({"name": "x", "type": "DM"}), false),
            (json!({"name": "x", "type": "GROUP_DM"}), false),
            (json!({"name": "x", "type": "dm"}), false),
            (json!({"name": "", "type": "CHANNEL"}), false),
            (json!({"name": "\u{7}", "type": "CHANNEL"}), false),
            (json!({"name": null, "type": "CHANNEL"}), false),
            (json!({"name": {}}), false),
            (json!({}), false),
        ] {
            let mut entry = entry;
            entry["id"] = json!("6-901-8");
            let page = page(json!({"data": [entry]})).unwrap();
            assert_eq!(page.channels.len(), usize::from(kept), "{entry}");
            assert!(page.channels.iter().all(|channel| channel.id == "6-901-8"), "{entry}");
        }
        let odd = json!([null, 1, "x", [], {"name": "no id"}, {"id": 5, "name": "a number"}]);
        assert_eq!(shown(&page(json!({"data": odd})).unwrap().channels), [("5", Some("a number"))]);
        for wrong in
            [json!({}), json!({"data": null}), json!({"data": {}}), json!({"next_cursor": "x"}), json!([])]
        {
            assert!(page(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn cursors_end_in_three_ways() {
        let longest = "c".repeat(MAX_CURSOR);
        for (answer, next) in [
            (json!({"data": [], "next_cursor": ""}), Some(None)),
            (json!({"data": [], "next_cursor": null}), Some(None)),
            (json!({"data": []}), Some(None)),
            (json!({"next_cursor": "a+/=&\n", "data": []}), Some(Some("a+/=&\n"))),
            (json!({"data": [], "next_cursor": 17}), Some(Some("17"))),
            (json!({"data": [], "next_cursor": longest}), Some(Some(longest.as_str()))),
            (json!({"data": [], "next_cursor": format!("{longest}c")}), None),
            (json!({"data": [], "next_cursor": "here"}), None),
            (json!({"data": [], "next_cursor": {}}), None),
            (json!({"data": [], "next_cursor": ["x"]}), None),
            (json!({"data": [], "next_cursor": true}), None),
        ] {
            let page = page(answer.clone()).ok();
            assert_eq!(page.as_ref().map(|page| page.next.as_deref()), next, "{answer}");
        }
    }

    #[test]
    fn lists_are_bounded() {
        let list =
            |length: usize| json!({"spaces": (0..length).map(|id| json!({"id": id})).collect::<Vec<_>>()});
        assert_eq!(read(SpacesAnswer, list(MAX_ENTRIES)).unwrap().len(), MAX_ENTRIES);
        assert!(read(SpacesAnswer, list(MAX_ENTRIES + 1)).is_err());
    }
}
