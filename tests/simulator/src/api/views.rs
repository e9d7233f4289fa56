//! The shapes of good answers.

use serde::Serialize;
use serde_json::{Value, json};

use crate::state::{CustomRole, Member, Role};
use crate::world::{Person, Space, Workspace, World};

const COLOR: &str = "#40BC86";

/// `GET /v2/user`.
pub(super) fn user(person: &Person) -> Value {
    json!({"user": {
        "id": person.id,
        "username": person.name,
        "email": person.email,
        "color": person.name.as_ref().map(|_| COLOR),
        "profilePicture": null,
        "initials": initials(person.name.as_deref().unwrap_or(&person.email)),
        "week_start_day": null,
        "global_font_support": false,
        "timezone": person.timezone,
        // ClickUp sends fields that no document names; so does the simulator.
        "undocumented_by_clickup": {"simulated": true},
    }})
}

/// One member of a workspace in `GET /v2/team`.
#[derive(Serialize)]
pub(super) struct MemberView<'a> {
    pub(super) user: MemberUser<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) invited_by: Option<Inviter<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) struct MemberUser<'a> {
    pub(super) id: u64,
    pub(super) username: Option<&'a str>,
    pub(super) email: &'a str,
    pub(super) color: Option<&'a str>,
    #[serde(rename = "profilePicture")]
    pub(super) profile_picture: Option<&'a str>,
    pub(super) initials: String,
    pub(super) role: u64,
    pub(super) role_subtype: u64,
    pub(super) role_key: &'a str,
    pub(super) custom_role: Option<CustomRoleView<'a>>,
    pub(super) last_active: Option<&'a str>,
    pub(super) date_joined: Option<&'a str>,
    pub(super) date_invited: &'a str,
}

#[derive(Serialize)]
pub(super) struct CustomRoleView<'a> {
    id: u64,
    name: &'a str,
    inherited_role: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct Inviter<'a> {
    pub(super) id: u64,
    pub(super) username: Option<&'a str>,
    pub(super) email: &'a str,
    pub(super) color: Option<&'a str>,
    pub(super) initials: String,
    #[serde(rename = "profilePicture")]
    pub(super) profile_picture: Option<&'a str>,
}

const INVITED: &str = "1679495814173";
const JOINED: &str = "1679495899000";

impl<'a> MemberView<'a> {
    /// A member, unless there is no such user.
    pub(super) fn of(world: &'a World, workspace: &Workspace, member: &'a Member) -> Option<Self> {
        let person = world.user(member.user)?;
        let first = workspace.members.first().map(|first| first.user).filter(|first| *first != member.user);
        let inviter = member.invited_by.or(first).and_then(|user| world.user(user));
        Some(Self { user: MemberUser::of(person, member), invited_by: inviter.map(Inviter::of) })
    }
}

impl<'a> MemberUser<'a> {
    fn of(person: &'a Person, member: &'a Member) -> Self {
        let name = person.name.as_deref();
        let custom = member.custom_role.as_ref();
        Self {
            id: person.id,
            username: name,
            email: &person.email,
            color: name.map(|_| COLOR),
            profile_picture: None,
            initials: initials(name.unwrap_or(&person.email)),
            role: member.role.0,
            role_subtype: 0,
            role_key: if custom.is_some() { "custom" } else { member.role.name().unwrap_or("unknown") },
            custom_role: custom.map(CustomRoleView::of),
            last_active: name.map(|_| JOINED),
            date_joined: name.map(|_| JOINED),
            date_invited: INVITED,
        }
    }

    /// The made-up member with this number.
    pub(super) fn extra(number: u64, name: &'a str, email: &'a str) -> Self {
        // Every fourth has never logged in: nulls belong to any real list of members.
        let joined = (number % 4 != 3).then_some(JOINED);
        Self {
            id: 300_000_000 + number,
            username: joined.map(|_| name),
            email,
            color: joined.map(|_| COLOR),
            profile_picture: joined.map(|_| "https://attachments.example.com/profilePictures/picture.jpg"),
            initials: initials(name),
            role: Role::MEMBER.0,
            role_subtype: 0,
            role_key: "member",
            custom_role: None,
            last_active: joined,
            date_joined: joined,
            date_invited: INVITED,
        }
    }
}

impl<'a> CustomRoleView<'a> {
    fn of(role: &'a CustomRole) -> Self {
        let CustomRole { id, name, inherited_role } = role;
        Self { id: *id, name, inherited_role: inherited_role.map(|role| role.0) }
    }
}

impl Inviter<'static> {
    /// Who invited the made-up members.
    pub(super) const EXTRA: Self = Self {
        id: 300_000_000,
        username: Some("Member 000000"),
        email: "member-000000@example.com",
        color: Some(COLOR),
        initials: String::new(),
        profile_picture: None,
    };
}

impl<'a> Inviter<'a> {
    fn of(person: &'a Person) -> Self {
        let name = person.name.as_deref();
        Self {
            id: person.id,
            username: name,
            email: &person.email,
            color: name.map(|_| COLOR),
            initials: initials(name.unwrap_or(&person.email)),
            profile_picture: None,
        }
    }
}

/// One space, in a list or alone.
pub(super) fn space(space: &Space) -> Value {
    let on = json!({"enabled": true});
    json!({
        "id": space.id,
        "name": space.place.name,
        "color": null,
        "private": space.place.private,
        "avatar": null,
        "admin_can_manage": true,
        "statuses": statuses(),
        "multiple_assignees": true,
        "features": {
            "due_dates": {
                "enabled": true, "start_date": true, "remap_due_dates": false, "remap_closed_due_date": false,
            },
            "sprints": {"enabled": false},
            "time_tracking": on,
            "tags": on,
            "time_estimates": {"enabled": false},
            "checklists": on,
            "custom_fields": on,
            "remap_dependencies": {"enabled": false},
            "dependency_warning": on,
            "portfolios": {"enabled": false},
        },
        "archived": space.place.archived,
    })
}

/// What tasks can be.
pub(super) fn statuses() -> Value {
    json!([
        {"id": "p1_to_do", "status": "to do", "type": "open", "orderindex": 0, "color": "#87909e"},
        {"id": "p1_complete", "status": "complete", "type": "closed", "orderindex": 1, "color": "#008844"},
    ])
}

/// Who made a task.
pub(super) fn creator(person: &Person) -> Value {
    json!({
        "id": person.id,
        "username": person.name,
        "color": person.name.as_ref().map(|_| COLOR),
        "email": person.email,
        "profilePicture": null,
    })
}

/// `GET /v2/team/{id}/plan`.
pub(super) fn plan(workspace: &Workspace) -> Value {
    json!({"plan_name": workspace.plan.name, "plan_id": workspace.plan.id})
}

/// `GET /v2/team/{id}/seats`.
pub(super) fn seats(workspace: &Workspace) -> Value {
    let guests = workspace.members.iter().filter(|member| member.is_guest()).count() as u64;
    let members = workspace.members.len() as u64 - guests + workspace.extra_members;
    json!({
        "members": {"filled_members_seats": members, "total_member_seats": members, "empty_member_seats": 0},
        "guests": {"filled_guest_seats": guests, "total_guest_seats": "Infinity", "empty_guest_seats": "Infinity"},
    })
}

fn initials(name: &str) -> String {
    let words = name.split_whitespace().take(2);
    words.filter_map(|word| word.chars().next()).flat_map(char::to_uppercase).collect()
}
