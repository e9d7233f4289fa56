//! `GET /v2/user`.

use super::{Any, Field, Id, Name};
use serde::{Deserialize, Deserializer, de::DeserializeSeed};
use std::marker::PhantomData;

/// The user that a token acts as (`GET /v2/user`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// A number of up to 64 bits.
    pub id: String,
    /// May be absent.
    pub name: Option<String>,
}

/// Reads the answer to `GET /v2/user`.
pub struct UserAnswer;

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

#[cfg(test)]
mod tests {
    use super::{super::read, *};
    use serde_json::json;

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
            (json!({"user": {"id": -183}}), None),
            (json!([]), None),
            (json!({}), None),
        ] {
            let user = read(UserAnswer, answer.clone()).ok();
            let expected = expected.map(|(id, name)| User { id: id.into(), name: name.map(Into::into) });
            assert_eq!(user, expected, "{answer}");
        }
    }
}
