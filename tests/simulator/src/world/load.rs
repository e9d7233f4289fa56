//! From a state to a world, and many tokens at once.

use super::{World, WorldError};
use crate::messages::GeneratedToken;
use crate::state::{self, Generate, Id, Member, Role, State};

impl World {
    /// The world of a state, without its faults.
    pub(crate) fn new(state: &State) -> Result<Self, WorldError> {
        let State { limit, window_seconds, latency_ms: _, users, workspaces, tokens, faults: _, generate } =
            state;
        let mut world = Self { limit: *limit, window_seconds: *window_seconds, ..Self::default() };
        users.iter().cloned().try_for_each(|user| world.add_user(user).map(|_| ()))?;
        workspaces.iter().cloned().try_for_each(|workspace| world.add_workspace(workspace).map(|_| ()))?;
        tokens.iter().cloned().try_for_each(|token| world.add_token(token).map(|_| ()))?;
        if let Some(generate) = generate {
            world.generate(generate)?;
        }
        Ok(world)
    }

    /// Makes tokens with a user each, spread over new workspaces.
    pub(crate) fn generate(&mut self, wanted: &Generate) -> Result<Vec<GeneratedToken>, WorldError> {
        let Generate { tokens, workspaces, extra_members, limit, prefix } = wanted;
        let workspaces = workspaces.unwrap_or(*tokens).min(*tokens);
        if workspaces == 0 {
            return Err(WorldError::Bad("generate at least one token and one workspace".to_owned()));
        }
        let mut names = (0..*tokens).map(|index| format!("{prefix}-{index}"));
        if let Some(taken) = names.find(|name| self.tokens.contains_key(name.as_str())) {
            return Err(WorldError::Taken("token", taken));
        }
        let places = (0..workspaces)
            .map(|index| self.add_workspace(generated_workspace(prefix, index, *extra_members)))
            .collect::<Result<Vec<Id>, _>>()?;
        (0..*tokens)
            .zip(places.into_iter().cycle())
            .map(|(index, workspace)| {
                self.generate_one(format!("{prefix}-{index}"), workspace, limit.unwrap_or(1_000_000))
            })
            .collect()
    }

    fn generate_one(
        &mut self,
        name: String,
        workspace: Id,
        limit: u64,
    ) -> Result<GeneratedToken, WorldError> {
        let user = self.add_user(state::User { name: Some(name.clone()), ..state::User::default() })?;
        self.put_member(workspace, Member::new(user, Role::MEMBER))?;
        let token = self.add_token(state::Token {
            name: Some(name),
            limit: Some(limit),
            ..state::Token::personal(user)
        })?;
        let crate::messages::TokenValue { name, value, user, kind: _ } = token;
        Ok(GeneratedToken { name, value, user, workspace })
    }
}

fn generated_workspace(prefix: &str, index: u64, extra_members: u64) -> state::Workspace {
    let space = state::Space { name: "Space".to_owned(), ..state::Space::default() };
    state::Workspace {
        name: format!("Workspace {prefix} {index}"),
        extra_members,
        spaces: vec![space],
        ..state::Workspace::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(yaml: &str) -> String {
        World::new(&State::from_yaml(yaml).unwrap()).err().unwrap().to_string()
    }

    #[test]
    fn the_built_in_state_is_sound() {
        World::new(&State::built_in().unwrap()).unwrap();
    }

    #[test]
    fn the_same_ids_may_be_those_of_different_things() {
        let list = "{lists: [{id: 3, tasks: [{id: a, custom_id: a}]}]}";
        let first =
            format!("{{id: 3, spaces: [{{id: 3, folders: [{{id: 3}}]}}, {list}], channels: [{{id: a}}]}}");
        let second = "{spaces: [{lists: [{tasks: [{custom_id: a}]}]}], last_cursor: \"null\"}";
        World::new(&State::from_yaml(&format!("workspaces: [{first}, {second}]")).unwrap()).unwrap();
    }

    #[test]
    fn references_and_ids_are_checked() {
        let cases = [
            ("users: [{id: 1}, {id: 1}]", "user 1 already"),
            ("workspaces: [{id: 9}, {id: \"9\"}]", "workspace 9 already"),
            ("workspaces: [{members: [{user: 5}]}]", "no user 5"),
            ("users: [{id: 1}]\nworkspaces: [{members: [{user: 1, invited_by: 2}]}]", "no user 2"),
            ("users: [{id: 1}]\nworkspaces: [{members: [{user: 1}, {user: 1}]}]", "member 1 already"),
            ("workspaces: [{spaces: [{id: 3}, {id: 3}]}]", "space 3 already"),
            ("workspaces: [{spaces: [{id: 3}]}, {spaces: [{id: 3}]}]", "space 3 already"),
            ("workspaces: [{spaces: [{id: 3, members: [7]}]}]", "no user 7"),
            ("workspaces: [{spaces: [{folders: [{id: 4}]}, {folders: [{id: 4}]}]}]", "folder 4 already"),
            ("workspaces: [{spaces: [{folders: [{lists: [{id: 5}]}], lists: [{id: 5}]}]}]", "list 5 already"),
            ("workspaces: [{spaces: [{lists: [{tasks: [{id: a}, {id: a}]}]}]}]", "task a already"),
            (
                "workspaces: [{spaces: [{lists: [{tasks: [{custom_id: A-1}, {custom_id: A-1}]}]}]}]",
                "custom id A-1 already",
            ),
            ("workspaces: [{spaces: [{lists: [{tasks: [{id: a/b}]}]}]}]", "no id of a task"),
            ("workspaces: [{spaces: [{lists: [{tasks: [{custom_id: \"\"}]}]}]}]", "no id of a task"),
            ("workspaces: [{channels: [{id: c}, {id: c}]}]", "channel c already"),
            ("workspaces: [{channels: [{id: c}]}, {channels: [{id: c}]}]", "channel c already"),
            ("workspaces: [{channels: [{id: c d}]}]", "no id of a channel"),
            ("workspaces: [{channels: [{members: [7]}]}]", "no user 7"),
            ("tokens: [{user: 1}]", "no user 1"),
            ("users: [{id: 1}]\ntokens: [{user: 1}, {user: 1}]", "has the personal token"),
            ("users: [{id: 1}]\ntokens: [{user: 1, name: unknown}]", "no name for a token"),
            ("users: [{id: 1}]\ntokens: [{user: 1, name: a/b}]", "no name for a token"),
            ("users: [{id: 1}]\ntokens: [{user: 1, value: abc}]", "does not suit its kind"),
            ("users: [{id: 1}]\ntokens: [{user: 1, kind: oauth, value: pk_1_A}]", "does not suit its kind"),
            ("users: [{id: 1}]\ntokens: [{user: 1, window_seconds: 0}]", "use 1 to 86400"),
            ("users: [{id: 1}]\ntokens: [{user: 1, refused_by: [{workspace: \"9\"}]}]", "no workspace 9"),
            (
                "users: [{id: 1}, {id: 2}]\ntokens: [{user: 1, name: a, value: pk_1}, {user: 2, value: pk_1}]",
                "with this value already",
            ),
            (
                "users: [{id: 1}, {id: 2}]\ntokens: [{user: 1, name: a}, {user: 2, name: a}]",
                "token a already",
            ),
            ("generate: {tokens: 0}", "at least one"),
        ];
        for (yaml, expected) in cases {
            let error = refused(yaml);
            assert!(error.contains(expected), "{yaml}\n{error}");
        }
    }

    #[test]
    fn what_is_no_state_is_refused_with_its_place() {
        let cases = [
            ("userz: []", "userz"),
            ("users: [{id: 1, nam: x}]", "nam"),
            ("users: [{id: one}]", "one"),
            ("workspaces: [{id: x9}]", "x9"),
            ("workspaces: [{members: [{user: 1, role: boss}]}]", "boss"),
            ("tokens: [{user: 1, kind: magic}]", "magic"),
            ("tokens: [{user: 1, refused_by: [{workspace: 1, scope: lists}]}]", "lists"),
            ("workspaces: [{channels: [{type: room}]}]", "room"),
            ("workspaces: [{last_cursor: never}]", "never"),
            ("workspaces: [{spaces: [{lists: [{folders: []}]}]}]", "folders"),
            ("faults: [{delivery: lost}]", "lost"),
        ];
        for (yaml, expected) in cases {
            let error = State::from_yaml(yaml).unwrap_err().to_string();
            assert!(error.contains(expected), "{yaml}\n{error}");
            assert!(error.contains("line 1"), "{error}");
        }
    }

    #[test]
    fn generated_tokens_are_the_same_in_every_world() {
        let wanted = Generate { workspaces: Some(3), ..Generate::tokens(10) };
        let first = World::default();
        let make = |mut world: World| {
            world.window_seconds = 60;
            world.generate(&wanted).unwrap()
        };
        let tokens = make(first);
        assert_eq!(tokens, make(World::default()));
        assert_eq!(tokens.len(), 10);
        assert_eq!(tokens[0].workspace, tokens[3].workspace);
        assert_ne!(tokens[0].workspace, tokens[1].workspace);
    }
}
