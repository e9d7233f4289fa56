//! What a check asks about besides the token: each id once, the same for all who hold the token.

use super::{Answers, Demand, Listed, Resolution, access::Node};
use crate::clickup::{NodeKind, NodeVerdict};

/// A question about an id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Whether the token can be used in this workspace, and its spaces.
    Workspace(String),
    /// The chat channels of this workspace.
    Channels(String),
    /// Whether the token reaches this node.
    Node(NodeKind, String),
}

/// A question of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicOf {
    /// What about.
    pub topic: Topic,
    /// Whether the names that the answer lists matter to it.
    pub names: bool,
}

/// What of an answer is kept: nothing where nobody wants the names.
pub type TopicAnswer = NodeVerdict<Option<Listed>>;

/// The questions of a demand, in the order of the conditions.
pub fn topics(demand: &Demand, resolution: &Resolution) -> Vec<TopicOf> {
    let default = resolution.default.as_ref().map(|d| d.id.as_str());
    let nodes: Vec<_> = demand.access.iter().filter_map(Node::of).collect();
    let by_name = nodes.iter().any(|node| matches!(node, Node::SpaceNamed(_)));
    let workspaces = resolution
        .probes()
        .into_iter()
        .map(|id| TopicOf { topic: Topic::Workspace(id.to_owned()), names: by_name && default == Some(id) });
    let channels = default
        .filter(|_| demand.channel.is_some())
        .map(|id| TopicOf { topic: Topic::Channels(id.to_owned()), names: true });
    let nodes = nodes.iter().filter_map(Node::probe);
    let nodes = nodes.map(|(kind, id)| TopicOf { topic: Topic::Node(kind, id.to_owned()), names: false });
    let mut topics: Vec<TopicOf> = Vec::new();
    for topic in workspaces.chain(channels).chain(nodes) {
        if !topics.iter().any(|known| known.topic == topic.topic) {
            topics.push(topic);
        }
    }
    topics
}

impl Answers {
    /// Takes in an answer.
    pub fn insert(&mut self, of: TopicOf, answer: TopicAnswer) {
        let names = |answer: TopicAnswer| answer.map(Option::unwrap_or_default);
        match of.topic {
            Topic::Workspace(id) => {
                self.workspaces.insert(id, answer.clone().map(drop));
                if of.names {
                    self.spaces = Some(names(answer));
                }
            }
            Topic::Channels(_) => self.channels = Some(names(answer)),
            Topic::Node(kind, id) => {
                self.nodes.insert((kind, id), answer.map(drop));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::TokenType,
        clickup::{Named, Workspace},
        connection::resolve,
    };
    use serde_json::{Value, json};

    fn asked(spec: Value, workspaces: &[&str]) -> Vec<(Topic, bool)> {
        let demand = Demand::of(&serde_json::from_value(spec).unwrap(), TokenType::Personal);
        let workspace = |id: &&str| Workspace { id: (*id).into(), name: None, role: None };
        let workspaces: Vec<_> = workspaces.iter().map(workspace).collect();
        topics(&demand, &resolve(&demand, &workspaces)).into_iter().map(|of| (of.topic, of.names)).collect()
    }

    #[test]
    fn each_id_is_asked_about_once_and_names_where_they_matter() {
        let workspace = |id: &str| Topic::Workspace(id.into());
        let node = |kind, id: &str| Topic::Node(kind, id.into());
        assert_eq!(asked(json!({}), &["1", "2"]), []);
        assert_eq!(asked(json!({}), &["1"]), [(workspace("1"), false)]);
        let required = json!([{"id": "2"}, {"id": "1"}, {"id": "2"}]);
        let all = json!({"defaultWorkspace": {"id": "1"}, "requiredWorkspaces": required, "channel": {"id": "c"},
            "access": [{"space": {"name": "Eng"}}, {"list": {"id": "7"}}, {"list": {"id": "7"}}, {"task": {"id": "7"}}]});
        let expected = [
            (workspace("1"), true),
            (workspace("2"), false),
            (Topic::Channels("1".into()), true),
            (node(NodeKind::List, "7"), false),
            (node(NodeKind::Task, "7"), false),
        ];
        assert_eq!(asked(all, &["1", "2", "3"]), expected);
        let by_id = json!({"defaultWorkspace": {"id": "1"}, "access": [{"space": {"id": "5"}}]});
        assert_eq!(asked(by_id, &["1"]), [(workspace("1"), false), (node(NodeKind::Space, "5"), false)]);
        // Where there is no default, nothing is asked in it.
        assert_eq!(asked(json!({"channel": {"id": "c"}}), &["1", "2"]), []);
    }

    #[test]
    fn answers_go_where_they_are_looked_for() {
        let listed = || NodeVerdict::Granted(Some(Listed::from([Named { id: "5".into(), name: None }])));
        let mut answers = Answers::default();
        let mut insert = |topic, names| answers.insert(TopicOf { topic, names }, listed());
        insert(Topic::Workspace("1".into()), true);
        insert(Topic::Workspace("2".into()), false);
        insert(Topic::Channels("1".into()), true);
        insert(Topic::Node(NodeKind::List, "7".into()), false);
        let Answers { workspaces, spaces, channels, nodes } = answers;
        assert_eq!(workspaces.into_keys().collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(nodes.into_keys().collect::<Vec<_>>(), [(NodeKind::List, "7".to_owned())]);
        for list in [spaces, channels] {
            assert!(matches!(list, Some(NodeVerdict::Granted(list)) if list.len() == 1));
        }
    }
}
