//! ClickUp's JSON, read leniently: numbers or strings as ids, nulls anywhere, unknown fields and values.
//! Of a list of members only the token's own user is kept, so that a body of any length costs nothing.

use super::lenient::{Any, Lenient};
use crate::api::WorkspaceRole;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::{fmt, marker::PhantomData};

const MAX_NAME: usize = 256;

/// The user that a token acts as (`GET /v2/user`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// A number of up to 64 bits.
    pub id: String,
    /// May be absent.
    pub name: Option<String>,
}

/// A workspace that a token sees (`GET /v2/team`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Digits, more than 32 bits of them.
    pub id: String,
    /// Not unique; may be absent.
    pub name: Option<String>,
    /// The role of the token's user, where the list of members tells.
    pub role: Option<WorkspaceRole>,
}

/// What the body of an answer with status ≥ 400 says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorBody {
    /// Whether the body was a JSON object: a proxy in between answers HTML.
    pub json: bool,
    /// `ECODE`, if it looks like one.
    pub code: Option<String>,
    /// Whether it names a permission that the user lacks.
    pub lacks_permission: bool,
}

impl ErrorBody {
    /// Reads an error body; what cannot be read says nothing.
    pub fn read(body: &[u8]) -> Self {
        let Ok(body) = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body) else {
            return Self::default();
        };
        let code = body.get("ECODE").and_then(|code| code.as_str()).filter(|code| {
            code.len() <= 32
                && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        });
        let lacks_permission =
            body.get("invalid_permissions").and_then(|p| p.as_array()).is_some_and(|p| !p.is_empty());
        Self { json: true, code: code.map(str::to_owned), lacks_permission }
    }
}

/// Reads the answer to `GET /v2/user`.
pub(super) struct UserAnswer;

impl<'de> DeserializeSeed<'de> for UserAnswer {
    type Value = User;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<User, D::Error> {
        #[derive(Deserialize)]
        struct Raw {
            id: Id,
            #[serde(default)]
            username: Any<Name>,
        }
        let user: Raw = deserializer.deserialize_map(Field { name: "user", value: PhantomData })?;
        Ok(User { id: user.id.0, name: user.username.0.0 })
    }
}

/// Reads the answer to `GET /v2/team`, for the user of this id.
pub(super) struct TeamsAnswer {
    pub(super) user_id: String,
}

impl<'de> DeserializeSeed<'de> for TeamsAnswer {
    type Value = Vec<Workspace>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Workspace>, D::Error> {
        let mut workspaces =
            deserializer.deserialize_map(Field { name: "teams", value: Teams(&self.user_id) })?;
        workspaces.sort_by(|a, b| (a.id.len(), &a.id).cmp(&(b.id.len(), &b.id)));
        workspaces.dedup_by(|a, b| a.id == b.id);
        Ok(workspaces)
    }
}

/// Reads the answer to a call whose only content of interest is that it has this list.
pub(super) struct ListAnswer(pub(super) &'static str);

impl<'de> DeserializeSeed<'de> for ListAnswer {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        struct Items;
        impl<'de> DeserializeSeed<'de> for Items {
            type Value = ();
            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
                // A vector of nothing: takes no memory however long the list.
                Vec::<IgnoredAny>::deserialize(deserializer).map(drop)
            }
        }
        deserializer.deserialize_map(Field { name: self.0, value: Items })
    }
}

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

struct Teams<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Teams<'_> {
    type Value = Vec<Workspace>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Teams<'_> {
    type Value = Vec<Workspace>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of workspaces")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut workspaces = Vec::new();
        while let Some(workspace) = seq.next_element_seed(Team(self.0))? {
            workspaces.push(workspace);
        }
        Ok(workspaces)
    }
}

struct Team<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Team<'_> {
    type Value = Workspace;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Workspace, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Team<'_> {
    type Value = Workspace;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a workspace")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Workspace, A::Error> {
        let (mut id, mut name, mut role) = (None, None, None);
        while let Some(key) = map.next_key::<Key>()? {
            match key.0.as_str() {
                "id" => id = Some(map.next_value::<Id>()?.0),
                "name" => name = map.next_value::<Any<Name>>()?.0.0,
                "members" => role = map.next_value_seed(Members(self.0))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Workspace { id: id.ok_or_else(|| A::Error::missing_field("id"))?, name, role })
    }
}

/// Looks for one user in a list of members of any length, or null.
struct Members<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = Option<WorkspaceRole>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Option<WorkspaceRole>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of members")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut role = None;
        while let Some(Any(member)) = seq.next_element::<Any<Member>>()? {
            if member.id.as_deref() == Some(self.0) {
                role = member.role.as_deref().map(role_of);
            }
        }
        Ok(role)
    }
}

/// A member, as far as it says who is what.
#[derive(Default)]
struct Member {
    id: Option<String>,
    role: Option<String>,
}

impl Lenient for Member {
    fn object<'de, A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        #[derive(Default)]
        struct User(Member);
        impl Lenient for User {
            fn object<'de, A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
                let mut user = Member::default();
                while let Some(key) = object.next_key::<Key>()? {
                    match key.0.as_str() {
                        "id" => user.id = object.next_value::<Any<Number>>()?.0.0,
                        "role" => user.role = object.next_value::<Any<Number>>()?.0.0,
                        _ => drop(object.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(Self(user))
            }
        }
        let mut member = Self::default();
        while let Some(key) = object.next_key::<Key>()? {
            match key.0.as_str() {
                "user" => member = object.next_value::<Any<User>>()?.0.0,
                _ => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(member)
    }
}

/// A whole number, written as a number or as a string of digits, or nothing.
#[derive(Default)]
struct Number(Option<String>);

impl Lenient for Number {
    fn text(text: &str) -> Self {
        Self(is_id(text).then(|| text.to_owned()))
    }

    fn number(number: i128) -> Self {
        Self(Some(number.to_string()))
    }
}

fn is_id(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

fn role_of(number: &str) -> WorkspaceRole {
    match number {
        "1" => WorkspaceRole::Owner,
        "2" => WorkspaceRole::Admin,
        "3" => WorkspaceRole::Member,
        "4" => WorkspaceRole::Guest,
        _ => WorkspaceRole::Other,
    }
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

            fn visit_i64<E: Error>(self, id: i64) -> Result<Id, E> {
                Ok(Id(id.to_string()))
            }

            fn visit_str<E: Error>(self, id: &str) -> Result<Id, E> {
                // The value itself stays out of the error: it is the server's text.
                if is_id(id) {
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
        Self(Some(text.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect()))
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
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read<'de, S: DeserializeSeed<'de>>(seed: S, value: Value) -> Result<S::Value, serde_json::Error> {
        seed.deserialize(value)
    }

    #[test]
    fn users_are_read_leniently() {
        for (answer, expected) in [
            (json!({"user": {"id": 183, "username": "Ada"}}), Some(("183", Some("Ada")))),
            (json!({"user": {"id": "183", "username": null, "new": {}}, "x": 1}), Some(("183", None))),
            (json!({"user": {"id": 9_223_372_036_854_775_807_u64}}), Some(("9223372036854775807", None))),
            (json!({"user": {"id": 1, "username": "a\u{7}\nb"}}), Some(("1", Some("ab")))),
            (json!({"user": null}), None),
            (json!({"user": {"id": null}}), None),
            (json!({"user": {"id": "abc"}}), None),
            (json!([]), None),
            (json!({}), None),
        ] {
            let user = read(UserAnswer, answer.clone()).ok();
            let expected = expected.map(|(id, name)| User { id: id.into(), name: name.map(Into::into) });
            assert_eq!(user, expected, "{answer}");
        }
    }

    #[test]
    fn workspaces_are_read_leniently_and_sorted() {
        let member = |id: Value, role: Value| json!({"user": {"id": id, "role": role, "email": null}, "invited_by": null});
        let answer = json!({"teams": [
            {"id": "90", "name": null, "members": [member(json!(7), json!(1)), member(json!(183), json!(3))]},
            {"id": 8, "name": "n".repeat(300), "members": [member(json!("183"), json!("4")), {"user": null}]},
            {"id": "91", "name": "x", "members": null, "avatar": null},
            {"id": "92", "name": "y", "members": [member(json!(183), json!(77))]},
            {"id": "93", "name": "z"},
        ], "more": 1});
        let workspaces = read(TeamsAnswer { user_id: "183".into() }, answer).unwrap();
        let seen: Vec<_> =
            workspaces.iter().map(|w| (w.id.as_str(), w.name.as_deref().map(str::len), w.role)).collect();
        use WorkspaceRole::{Guest, Member, Other};
        assert_eq!(
            seen,
            [
                ("8", Some(256), Some(Guest)),
                ("90", None, Some(Member)),
                ("91", Some(1), None),
                ("92", Some(1), Some(Other)),
                ("93", Some(1), None)
            ]
        );
        for wrong in [
            json!({}),
            json!({"teams": null}),
            json!({"teams": {}}),
            json!({"teams": [{}]}),
            json!({"teams": [1]}),
            json!("x"),
        ] {
            assert!(read(TeamsAnswer { user_id: "1".into() }, wrong.clone()).is_err(), "{wrong}");
        }
        assert_eq!(read(TeamsAnswer { user_id: "1".into() }, json!({"teams": []})).unwrap(), []);
    }

    #[test]
    fn error_bodies_say_only_what_they_surely_say() {
        let read = |body: &str| ErrorBody::read(body.as_bytes());
        let full =
            read(r#"{"err":"x","ECODE":"ACCESS_083","invalid_permissions":["can_use_public_api_dev_key"]}"#);
        assert_eq!(full, ErrorBody { json: true, code: Some("ACCESS_083".into()), lacks_permission: true });
        for (body, json) in [
            ("{}", true),
            (r#"{"ECODE":7}"#, true),
            (r#"{"ECODE":"<b>"}"#, true),
            ("<html>", false),
            ("[]", false),
            ("", false),
        ] {
            assert_eq!(read(body), ErrorBody { json, ..ErrorBody::default() }, "{body}");
        }
    }
}
