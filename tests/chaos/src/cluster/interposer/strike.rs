//! Holding the nth write, so that whoever sends it can be killed exactly there.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Interposer, Shared};

/// A write that can be struck at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Of what.
    pub kind: WriteKind,
    /// The request's path.
    pub path: String,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteKind {
    /// A status, by PATCH.
    Status,
    /// An Event, by POST or PATCH.
    Event,
}

/// The nth write from now on is held for good. Dropped, the interposer forgets about it.
#[derive(Debug)]
pub struct Strike {
    shared: Arc<Shared>,
    held: oneshot::Receiver<Write>,
}

/// What waits for its write.
#[derive(Debug)]
pub(super) struct Armed {
    to_pass: usize,
    before: bool,
    held: oneshot::Sender<Write>,
}

/// The write that was waited for.
#[derive(Debug)]
pub(super) struct Chosen {
    before: bool,
    held: oneshot::Sender<Write>,
    write: Write,
}

impl Interposer {
    /// Holds the nth write of a status or an Event from now on, counted from 0: before it is forwarded, so that it never
    /// is, or after it was carried out, so that its answer never comes. Only one can be waited for at a time.
    pub fn strike(&self, nth: usize, before: bool) -> Strike {
        let (sender, held) = oneshot::channel();
        *self.shared.armed() = Some(Armed { to_pass: nth, before, held: sender });
        Strike { shared: self.shared.clone(), held }
    }
}

impl Strike {
    /// Waits until the write is held. `None` if another strike took this one's place.
    pub async fn held(&mut self) -> Option<Write> {
        (&mut self.held).await.ok()
    }
}

impl Drop for Strike {
    fn drop(&mut self) {
        self.held.close();
        let mut armed = self.shared.armed();
        if armed.as_ref().is_some_and(|armed| armed.held.is_closed()) {
            *armed = None;
        }
    }
}

impl Shared {
    /// Counts a write; `Some` if it is the one that is waited for.
    pub(super) fn choose(&self, kind: WriteKind, path: &str) -> Option<Chosen> {
        let mut armed = self.armed();
        match armed.as_mut()? {
            Armed { to_pass: 0, .. } => {
                let Armed { before, held, .. } = armed.take()?;
                Some(Chosen { before, held, write: Write { kind, path: path.to_owned() } })
            }
            Armed { to_pass, .. } => {
                *to_pass -= 1;
                None
            }
        }
    }
}

impl Chosen {
    /// Whether it is to be held before it is forwarded.
    pub(super) fn before(&self) -> bool {
        self.before
    }

    /// Tells whoever waits. `false` if nobody does any more: the write is one like any other then.
    pub(super) fn tell(self) -> bool {
        self.held.send(self.write).is_ok()
    }
}
