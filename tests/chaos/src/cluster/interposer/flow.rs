//! The body of an answer on its way to the client, piece by piece, with what befalls it.

use std::fmt;
use std::sync::{Arc, LazyLock};

use hyper::body::{Bytes, Frame};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Interference, Shared, one_more, thawed};

/// What a watch says last whose version is forgotten.
pub(super) static GONE_EVENT: LazyLock<Bytes> = LazyLock::new(|| {
    let status = serde_json::json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "too old resource version", "reason": "Expired", "code": 410});
    Bytes::from(format!("{}\n", serde_json::json!({"type": "ERROR", "object": status})))
});

/// The body breaks off here.
#[derive(Debug)]
pub(super) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer breaks off")
    }
}

impl std::error::Error for Cut {}

type Piece = Result<Frame<Bytes>, Cut>;

/// How a watch ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// At the end of an event.
    Closed,
    /// With an ERROR event.
    Gone,
    /// In the middle of the next event.
    Cut,
}

/// A body that flows from the API server.
pub(super) struct Flow {
    upstream: reqwest::Response,
    shared: Arc<Shared>,
    interferences: watch::Receiver<Vec<Interference>>,
    watch: bool,
    began: Instant,
    /// Break off in the middle of the next piece.
    cut: bool,
    /// Whether the last piece ended with the end of an event.
    between_events: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Flowing,
    /// Half a piece is out.
    Breaking,
    Ended,
}

impl Flow {
    pub(super) fn new(upstream: reqwest::Response, shared: Arc<Shared>, watch: bool, cut: bool) -> Flow {
        let interferences = shared.interferences();
        let began = Instant::now();
        Flow {
            upstream,
            shared,
            interferences,
            watch,
            began,
            cut,
            between_events: true,
            state: State::Flowing,
        }
    }

    /// The next piece and the rest of the flow; `None` at its end.
    pub(super) async fn next(mut self) -> Option<(Piece, Flow)> {
        match self.state {
            State::Flowing => {}
            State::Breaking => return self.last(Err(Cut)),
            State::Ended => return None,
        }
        loop {
            thawed(&mut self.interferences).await;
            let ending = self.ending();
            let due = ending.map_or(self.began, |(_, due)| due);
            let is_due = ending.is_some() && due <= Instant::now();
            match ending {
                Some((Ending::Closed, _)) if is_due && self.between_events => return None,
                Some((Ending::Gone, _)) if is_due && self.between_events => {
                    return self.last(Ok(Frame::data(GONE_EVENT.clone())));
                }
                Some((Ending::Cut, _)) if is_due => self.cut = true,
                _ => {}
            }
            let piece = tokio::select! {
                piece = self.upstream.chunk() => piece,
                changed = self.interferences.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return self.last(Err(Cut)),
                },
                () = sleep_until(due), if ending.is_some() && !is_due => continue,
            };
            // What came while all was frozen is told afterwards.
            thawed(&mut self.interferences).await;
            return match piece {
                Ok(Some(piece)) => Some(self.pass(piece, is_due)),
                Ok(None) if !self.cut => None,
                Ok(None) | Err(_) => self.last(Err(Cut)),
            };
        }
    }

    /// Passes a piece on; half of it where the answer is to be cut, only the rest of its event where a watch is due.
    fn pass(mut self, mut piece: Bytes, is_due: bool) -> (Piece, Flow) {
        if self.cut {
            piece.truncate(piece.len() / 2);
            self.state = State::Breaking;
        } else if is_due && let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            piece.truncate(end + 1);
        }
        self.between_events = piece.ends_with(b"\n");
        if self.watch && is_gone(&piece) {
            one_more(&self.shared.counters.gone);
        }
        (Ok(Frame::data(piece)), self)
    }

    fn last(mut self, piece: Piece) -> Option<(Piece, Flow)> {
        self.state = State::Ended;
        Some((piece, self))
    }

    /// How and when a watch ends, from what is in force now.
    fn ending(&mut self) -> Option<(Ending, Instant)> {
        let began = self.began;
        let ending = |interference: &Interference| match interference {
            Interference::WatchesGone => Some((Ending::Gone, began + Interference::GONE_AFTER)),
            Interference::WatchStartsGone => Some((Ending::Gone, began)),
            Interference::WatchesClosed => Some((Ending::Closed, began + Interference::CLOSED_AFTER)),
            Interference::CutsAnswers => Some((Ending::Cut, began + Interference::CUT_AFTER)),
            _ => None,
        };
        let interferences = self.interferences.borrow_and_update();
        if self.watch { interferences.iter().find_map(ending) } else { None }
    }
}

/// Whether the API server says that the version of a watch is forgotten.
fn is_gone(event: &[u8]) -> bool {
    event.starts_with(br#"{"type":"ERROR""#) && event.windows(10).any(|part| part == br#""code":410"#)
}
