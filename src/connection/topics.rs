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
