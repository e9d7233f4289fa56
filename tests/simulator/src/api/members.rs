//! `GET /v2/team`: all workspaces with all their members, however many, a few kilobytes at a time.

use std::collections::VecDeque;

use hyper::body::Bytes;
use serde::Serialize;
use serde_json::json;

use super::Content;
use super::content::CHUNK;
use super::views::{Inviter, MemberUser, MemberView};
use crate::world::{Person, Workspace, World};

/// The answer for this user.
pub(super) fn teams(world: &World, person: &Person) -> Content {
    let teams: VecDeque<Team> = world.workspaces_of(person).map(|place| Team::of(world, place)).collect();
    let small = teams.iter().all(|team| team.extra.is_empty());
    let teams = Teams { part: Part::Open, teams };
    if small { Content::whole(teams.flatten().collect::<Vec<u8>>()) } else { Content::streamed(teams) }
}

/// One workspace: its JSON up to and with its real members, and the numbers of the made-up ones to come.
struct Team {
    head: Vec<u8>,
    members: bool,
    extra: std::ops::Range<u64>,
}

impl Team {
    fn of(world: &World, workspace: &Workspace) -> Self {
        let about = json!({"id": workspace.id, "name": workspace.name, "color": "#40BC86", "avatar": null});
        let mut head = about.to_string().into_bytes();
        head.pop();
        head.extend_from_slice(b",\"members\":[");
        let mut team = Self { head: Vec::new(), members: false, extra: 0..workspace.extra_members };
        for member in &workspace.members {
            if let Some(view) = MemberView::of(world, workspace, member) {
                team.push(&mut head, &view);
            }
        }
        team.head = head;
        team
    }

    fn push(&mut self, out: &mut Vec<u8>, member: &impl Serialize) {
        if std::mem::replace(&mut self.members, true) {
            out.push(b',');
        }
        // Writing our own values into memory cannot fail.
        let _ = serde_json::to_writer(out, member);
    }

    /// Adds made-up members until the chunk is full; tells whether there are more.
    fn fill(&mut self, out: &mut Vec<u8>) -> bool {
        while out.len() < CHUNK {
            let Some(number) = self.extra.next() else { return false };
            let name = format!("Member {number:06}");
            let email = format!("member-{number:06}@example.com");
            self.push(
                out,
                &MemberView {
                    user: MemberUser::extra(number, &name, &email),
                    invited_by: Some(Inviter::EXTRA),
                },
            );
        }
        true
    }
}

/// What comes next.
enum Part {
    Open,
    Team { first: bool },
    Members,
    End,
}

struct Teams {
    part: Part,
    teams: VecDeque<Team>,
}

impl Iterator for Teams {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK {
            self.part = match (&self.part, self.teams.front_mut()) {
                (Part::Open, _) => {
                    chunk.extend_from_slice(b"{\"teams\":[");
                    Part::Team { first: true }
                }
                (Part::Team { first }, Some(team)) => {
                    if !first {
                        chunk.push(b',');
                    }
                    chunk.append(&mut team.head);
                    Part::Members
                }
                (Part::Members, Some(team)) => {
                    if team.fill(&mut chunk) {
                        continue;
                    }
                    chunk.extend_from_slice(b"]}");
                    self.teams.pop_front();
                    Part::Team { first: false }
                }
                (Part::Team { .. } | Part::Members, None) => {
                    chunk.extend_from_slice(b"]}");
                    Part::End
                }
                (Part::End, _) => break,
            };
        }
        (!chunk.is_empty()).then(|| chunk.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::state::State;

    fn teams_of(yaml: &str) -> (Option<u64>, Vec<Bytes>) {
        let world = World::new(&State::from_yaml(yaml).unwrap()).unwrap();
        let content = teams(&world, world.user(1).unwrap());
        (content.length, content.chunks.collect())
    }

    fn counts(chunks: &[Bytes]) -> Vec<usize> {
        let body: Value = serde_json::from_slice(&chunks.concat()).unwrap();
        let teams = body["teams"].as_array().unwrap();
        teams.iter().map(|team| team["members"].as_array().unwrap().len()).collect()
    }

    #[test]
    fn any_number_of_workspaces_and_members_is_one_json_text() {
        let member = "members: [{user: 1}]";
        let cases = [
            (String::new(), vec![]),
            (format!("{{{member}}}"), vec![1]),
            (format!("{{{member}}}, {{{member}}}"), vec![1, 1]),
            (format!("{{{member}, extra_members: 1}}, {{{member}}}"), vec![2, 1]),
            (format!("{{{member}, extra_members: 99}}, {{{member}, extra_members: 200}}"), vec![100, 201]),
        ];
        for (workspaces, expected) in cases {
            let (length, chunks) = teams_of(&format!("users: [{{id: 1}}]\nworkspaces: [{workspaces}]"));
            assert_eq!(counts(&chunks), expected, "{workspaces}");
            assert!(length.is_none_or(|length| length == chunks.concat().len() as u64));
        }
    }

    #[test]
    fn ten_thousand_members_are_four_to_five_megabytes_in_small_chunks() {
        let (length, chunks) =
            teams_of("users: [{id: 1}]\nworkspaces: [{members: [{user: 1}], extra_members: 10000}]");
        let bytes = chunks.iter().map(Bytes::len).sum::<usize>();
        assert!((4_000_000..5_000_000).contains(&bytes), "{bytes}");
        assert!(chunks.iter().all(|chunk| chunk.len() < 2 * CHUNK));
        assert_eq!(length, None);
        assert_eq!(counts(&chunks), [10_001]);
    }
}
