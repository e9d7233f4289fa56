//! The channels of the workspaces' chats.

use super::claims::Claims;
use super::{Place, Workspace, World, WorldError};
use crate::messages::PlaceChange;
use crate::state::{self, ChannelKind, Id, LastCursor};

const FIRST_CHANNEL: u64 = 901_300_000_000;

/// A channel or a direct message.
pub(crate) struct Channel {
    pub(crate) id: String,
    pub(crate) kind: ChannelKind,
    pub(crate) place: Place,
    /// Grows from channel to channel: what a cursor remembers.
    pub(crate) serial: u64,
}

impl World {
    pub(crate) fn add_channel(
        &mut self,
        workspace: Id,
        channel: state::Channel,
    ) -> Result<String, WorldError> {
        self.workspace_mut(workspace)?;
        Claims::new(self, Some(workspace)).channel(&channel)?;
        let state::Channel { id, name, kind, private, members, archived } = channel;
        let id = id.unwrap_or_else(|| {
            let text = |number: u64| format!("6-{number}-8");
            text(self.free_id(FIRST_CHANNEL, |world, number| world.channels.contains_key(&text(number))))
        });
        self.channels.insert(id.clone(), workspace.0);
        self.last_channel += 1;
        let place = Place { name, private: private || kind != ChannelKind::Channel, members, archived };
        let new = Channel { id: id.clone(), kind, place, serial: self.last_channel };
        self.workspace_mut(workspace)?.channels.push(new);
        Ok(id)
    }

    pub(crate) fn change_channel(&mut self, id: &str, change: PlaceChange) -> Result<(), WorldError> {
        self.check_users(change.members.as_deref().unwrap_or_default())?;
        let workspace = self.workspace_of_channel(id)?;
        let channels = &mut self.workspace_mut(workspace)?.channels;
        if let Some(channel) = channels.iter_mut().find(|channel| channel.id == id) {
            channel.place.change(change);
            channel.place.private |= channel.kind != ChannelKind::Channel;
        }
        Ok(())
    }

    pub(crate) fn remove_channel(&mut self, id: &str) -> Result<(), WorldError> {
        let workspace = self.workspace_of_channel(id)?;
        self.channels.remove(id);
        self.workspace_mut(workspace)?.channels.retain(|channel| channel.id != id);
        Ok(())
    }

    fn workspace_of_channel(&self, id: &str) -> Result<Id, WorldError> {
        let workspace = self.channels.get(id).copied().map(Id);
        workspace.ok_or_else(|| WorldError::Missing("channel", id.to_owned()))
    }

    /// The serial of the youngest channel: no good cursor is beyond it.
    pub(crate) fn last_channel(&self) -> u64 {
        self.last_channel
    }
}

impl Workspace {
    /// The channels younger than this serial that a member sees, oldest first.
    pub(crate) fn channels_after(&self, serial: u64, user: u64) -> impl Iterator<Item = &Channel> {
        let younger = self.channels.iter().filter(move |channel| channel.serial > serial);
        younger.filter(move |channel| self.shows(&channel.place, user))
    }
}

/// How a workspace that does not choose ends its pages.
pub(super) fn last_cursor_of(workspace: Id) -> LastCursor {
    match workspace.0 % 3 {
        0 => LastCursor::Empty,
        1 => LastCursor::Null,
        _ => LastCursor::Missing,
    }
}
