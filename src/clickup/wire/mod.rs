//! ClickUp's JSON, read leniently: numbers or strings as ids, nulls anywhere, unknown fields and values.
//! Of what can be long only what is asked for is kept, so that a body of any length costs little.

mod entries;
mod errors;
mod node;
mod teams;
mod user;

pub use entries::{ChannelPage, ChannelsAnswer, Named, SpacesAnswer};
pub use errors::ErrorBody;
pub use node::NodeAnswer;
pub use teams::{Role, TeamsAnswer, Workspace};
pub use user::{User, UserAnswer};

use super::lenient::{Any, Lenient};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor},
};
use std::fmt;

const MAX_NAME: usize = 256;

/// The value of the one field of interest of an object.
struct Field<S> {
    name: &'static str,
    value: S,
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Field<S> {
    type Value = S::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the field {}", self.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<S::Value, A::Error> {
        let (mut seed, mut found) = (Some(self.value), None);
        while let Some(key) = map.next_key::<Key>()? {
            match seed.take_if(|_| key.0 == self.name) {
                Some(seed) => found = Some(map.next_value_seed(seed)?),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        found.ok_or_else(|| A::Error::missing_field(self.name))
    }
}

/// A whole number, written as a number or as a string of digits, or nothing.
#[derive(Default)]
struct Number(Option<String>);

impl Lenient for Number {
    fn text(text: &str) -> Self {
        Self(is_number(text).then(|| text.to_owned()))
    }

    fn number(number: i128) -> Self {
        Self(Some(number.to_string()))
    }
}

fn is_number(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// A whole number, written as a number or as a string of digits.
struct Id(String);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;
        impl Visitor<'_> for IdVisitor {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a string of digits")
            }

            fn visit_u64<E: Error>(self, id: u64) -> Result<Id, E> {
                Ok(Id(id.to_string()))
            }

            fn visit_str<E: Error>(self, id: &str) -> Result<Id, E> {
                // The value itself stays out of the error: it is the server's text.
                if is_number(id) {
                    Ok(Id(id.to_owned()))
                } else {
                    Err(E::custom("an id is not a string of digits"))
                }
            }
        }
        deserializer.deserialize_any(IdVisitor)
    }
}

/// A text of ClickUp's, stripped of control characters and cut at 256 characters, or nothing.
#[derive(Default)]
struct Name(Option<String>);

impl Lenient for Name {
    fn text(text: &str) -> Self {
        let mut name: String = text.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
        name.shrink_to_fit();
        Self(Some(name))
    }
}

/// A field name: long ones are of no interest.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field name")
            }

            fn visit_str<E: Error>(self, key: &str) -> Result<Key, E> {
                Ok(Key(key.get(..16.min(key.len())).unwrap_or_default().to_owned()))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

#[cfg(test)]
fn read<'de, S: DeserializeSeed<'de>>(
    seed: S,
    value: serde_json::Value,
) -> Result<S::Value, serde_json::Error> {
    seed.deserialize(value)
}
