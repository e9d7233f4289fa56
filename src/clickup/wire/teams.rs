//! `GET /v2/team`: of a list of members of any length only the token's own user is kept.

use super::{Any, Field, Id, Key, Lenient, Name, Number};
use crate::api::{StandardRole, WorkspaceRole};
use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::fmt;

/// Workspaces that an answer may have, many times what anybody's has: without a bound tiny ones would take more memory than
/// the body has bytes.
const MAX_WORKSPACES: usize = 10_000;

/// A workspace that a token sees (`GET /v2/team`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Digits, more than 32 bits of them.
    pub id: String,
    /// Not unique; may be absent.
    pub name: Option<String>,
    /// The role of the token's user, where the list of members tells.
    pub role: Option<Role>,
}

/// The role of a token's user in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// One that ClickUp defines: 1 owner, 2 admin, 3 member, 4 guest (official).
    Standard(StandardRole),
    /// One that the workspace defined itself: the member has an object `custom_role`.
    Custom {
        /// The standard role that it is built on, as its `inherited_role` tells. The lists of roles have that field
        /// (official); whether the members of `GET /v2/team` have it is inference.
        inherits: Option<StandardRole>,
    },
    /// Another number: values to come are to be tolerated.
    Unknown,
}

impl From<Role> for WorkspaceRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Standard(StandardRole::Owner) => Self::Owner,
            Role::Standard(StandardRole::Admin) => Self::Admin,
            Role::Standard(StandardRole::Member) => Self::Member,
            Role::Standard(StandardRole::Guest) => Self::Guest,
            Role::Custom { inherits: _ } => Self::Custom,
            Role::Unknown => Self::Other,
        }
    }
}

/// Reads the answer to `GET /v2/team`.
pub struct TeamsAnswer {
    /// The user whose role is looked for.
    pub user_id: String,
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
            if workspaces.len() == MAX_WORKSPACES {
                return Err(A::Error::custom("there are too many workspaces"));
            }
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
    type Value = Option<Role>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Option<Role>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of members")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut role = None;
        while let Some(Any(Member(user))) = seq.next_element::<Any<Member>>()? {
            if user.id.as_deref() == Some(self.0) {
                role = user.role();
            }
        }
        Ok(role)
    }
}

/// A member: only who it is matters, not who invited it.
#[derive(Default)]
struct Member(MemberUser);

impl Lenient for Member {
    fn object<'de, A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut member = Self::default();
        while let Some(key) = object.next_key::<Key>()? {
            match key.0.as_str() {
                "user" => member.0 = object.next_value::<Any<MemberUser>>()?.0,
                _ => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(member)
    }
}

/// The user that a member is, as far as it says who is what.
#[derive(Default)]
struct MemberUser {
    id: Option<String>,
    number: Option<String>,
    custom: CustomRole,
}

impl Lenient for MemberUser {
    fn object<'de, A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut user = Self::default();
        while let Some(key) = object.next_key::<Key>()? {
            match key.0.as_str() {
                "id" => user.id = object.next_value::<Any<Number>>()?.0.0,
                "role" => user.number = object.next_value::<Any<Number>>()?.0.0,
                "custom_role" => user.custom = object.next_value::<Any<CustomRole>>()?.0,
                _ => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(user)
    }
}

impl MemberUser {
    /// The number alone does not tell the role of who has a custom one.
    fn role(&self) -> Option<Role> {
        match &self.custom {
            CustomRole::Here { inherits } => Some(Role::Custom { inherits: *inherits }),
            CustomRole::None => {
                let number = self.number.as_deref()?;
                Some(standard(number).map_or(Role::Unknown, Role::Standard))
            }
        }
    }
}

/// A `custom_role`: anything but an object is none.
#[derive(Default)]
enum CustomRole {
    #[default]
    None,
    Here {
        inherits: Option<StandardRole>,
    },
}

impl Lenient for CustomRole {
    fn object<'de, A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut inherits = None;
        while let Some(key) = object.next_key::<Key>()? {
            match key.0.as_str() {
                "inherited_role" => {
                    inherits = object.next_value::<Any<Number>>()?.0.0.as_deref().and_then(standard);
                }
                _ => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Self::Here { inherits })
    }
}

/// ClickUp's numbers of roles (official).
fn standard(number: &str) -> Option<StandardRole> {
    Some(match number {
        "1" => StandardRole::Owner,
        "2" => StandardRole::Admin,
        "3" => StandardRole::Member,
        "4" => StandardRole::Guest,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::read, *};
    use Role::{Custom, Standard, Unknown};
    use StandardRole::{Admin, Guest, Member, Owner};
    use serde_json::{Value, json};

    fn of_183(answer: Value) -> Result<Vec<Workspace>, serde_json::Error> {
        read(TeamsAnswer { user_id: "183".into() }, answer)
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
        let workspaces = of_183(answer).unwrap();
        let seen: Vec<_> =
            workspaces.iter().map(|w| (w.id.as_str(), w.name.as_deref().map(str::len), w.role)).collect();
        assert_eq!(
            seen,
            [
                ("8", Some(256), Some(Standard(Guest))),
                ("90", None, Some(Standard(Member))),
                ("91", Some(1), None),
                ("92", Some(1), Some(Unknown)),
                ("93", Some(1), None)
            ]
        );
        for wrong in [
            json!({}),
            json!({"teams": null}),
            json!({"teams": {}}),
            json!({"teams": [{}]}),
            json!({"teams": [1]}),
            json!({"teams": [{"id": -90}]}),
            json!("x"),
        ] {
            assert!(of_183(wrong.clone()).is_err(), "{wrong}");
        }
        assert_eq!(of_183(json!({"teams": []})).unwrap(), []);
    }

    #[test]
    fn workspaces_are_bounded() {
        let answer =
            |length: usize| json!({"teams": (0..length).map(|id| json!({"id": id})).collect::<Vec<_>>()});
        assert_eq!(of_183(answer(MAX_WORKSPACES)).unwrap().len(), MAX_WORKSPACES);
        assert!(of_183(answer(MAX_WORKSPACES + 1)).is_err());
    }

    #[test]
    fn a_custom_role_outweighs_the_number() {
        let custom = |inherits| Some(Custom { inherits });
        for (user, role) in [
            (json!({"role": 1}), Some(Standard(Owner))),
            (json!({"role": "2", "custom_role": null}), Some(Standard(Admin))),
            (json!({"role": 3, "custom_role": {"id": 1, "inherited_role": 4}}), custom(Some(Guest))),
            (json!({"custom_role": {"inherited_role": "2", "x": []}, "role": 4}), custom(Some(Admin))),
            (json!({"role": 3, "custom_role": {"id": 12345, "name": "guest custom"}}), custom(None)),
            (json!({"role": 3, "custom_role": {}}), custom(None)),
            (json!({"role": null, "custom_role": {"inherited_role": 1}}), custom(Some(Owner))),
            (json!({"role": 3, "custom_role": {"inherited_role": 0}}), custom(None)),
            (json!({"role": 3, "custom_role": {"inherited_role": "member"}}), custom(None)),
            (json!({"role": 3, "custom_role": {"inherited_role": {"id": 3}}}), custom(None)),
            (json!({"role": 3, "custom_role": []}), Some(Standard(Member))),
            (json!({"role": 3, "custom_role": "x"}), Some(Standard(Member))),
            (json!({"role": 0}), Some(Unknown)),
            (json!({"role": -1}), Some(Unknown)),
            (json!({"role": 12345}), Some(Unknown)),
            (json!({"role": "admin"}), None),
            (json!({}), None),
        ] {
            let mut user = user;
            user["id"] = json!(183);
            let answer = json!({"teams": [{"id": "1", "members": [{"user": user}]}]});
            assert_eq!(of_183(answer).unwrap()[0].role, role, "{user}");
        }
    }

    #[test]
    fn roles_are_shown_as_what_they_are() {
        for (role, shown) in [
            (Standard(Owner), WorkspaceRole::Owner),
            (Standard(Admin), WorkspaceRole::Admin),
            (Standard(Member), WorkspaceRole::Member),
            (Standard(Guest), WorkspaceRole::Guest),
            (Custom { inherits: Some(Owner) }, WorkspaceRole::Custom),
            (Custom { inherits: None }, WorkspaceRole::Custom),
            (Unknown, WorkspaceRole::Other),
        ] {
            assert_eq!(WorkspaceRole::from(role), shown);
        }
    }
}
