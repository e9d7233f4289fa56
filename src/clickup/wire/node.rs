//! `GET /v2/space/{id}` and the like: only that there is one matters.

use super::Field;
use serde::{
    Deserializer,
    de::{DeserializeSeed, IgnoredAny},
};
use std::marker::PhantomData;

/// Reads a JSON object that has an `id`, as those of all nodes do (official), and keeps nothing of it. Without one it is
/// some proxy's object.
pub struct NodeAnswer;

impl<'de> DeserializeSeed<'de> for NodeAnswer {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(Field { name: "id", value: PhantomData::<IgnoredAny> }).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::read, *};
    use serde_json::json;

    #[test]
    fn any_object_with_an_id_will_do() {
        for (answer, good) in [
            (json!({"id": "1", "name": "x"}), true),
            (json!({"name": "x", "lists": [{}, 1], "id": 1}), true),
            (json!({"id": null}), true),
            (json!({"id": {}, "new": {"id": []}}), true),
            (json!({}), false),
            (json!({"list": {"id": 1}}), false),
            (json!({"err": "x", "ECODE": "OAUTH_027"}), false),
            (json!([]), false),
            (json!([{"id": "1"}]), false),
            (json!("id"), false),
            (json!(1), false),
            (json!(null), false),
        ] {
            assert_eq!(read(NodeAnswer, answer.clone()).is_ok(), good, "{answer}");
        }
    }
}
