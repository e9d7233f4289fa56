//! How an answer travels: by hyper, or over the bare connection in ways that hyper would not.

use std::time::Duration;

use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue};

use crate::api::{ApiBody, Chunks, Content, Reply};
use crate::fault::{Delivery, Effect};
use crate::shared::InFlight;

/// Neither HTTP nor TLS, as from a port that something else listens on.
pub(crate) const GARBAGE: &[u8] =
    b"\x00\xff\xfeSSH-2.0-nobody\r\n\x15\x03\x99\x00\x02\x02\x46\r\n\r\n\x80\x81";

/// What happens to a request.
pub(crate) enum Outcome {
    Answer(Box<Response<ApiBody>>),
    /// With the status that the client will see, if it will.
    Takeover(Takeover, Option<u16>),
}

/// What is sent over the bare connection, which then ends.
pub(crate) struct Takeover {
    pub(crate) pieces: Chunks,
    pub(crate) every: Duration,
    pub(crate) reset: bool,
    pub(crate) _in_flight: InFlight,
}

impl Outcome {
    fn answer(reply: Reply, body: impl FnOnce(Content) -> ApiBody) -> Self {
        let Reply { status, headers, content } = reply;
        let mut response = Response::new(body(content));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Self::Answer(Box::new(response))
    }

    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Answer(response) => Some(response.status().as_u16()),
            Self::Takeover(_, status) => *status,
        }
    }
}

/// Sends a reply as the faults want it.
pub(crate) fn deliver(mut reply: Reply, effect: &Effect, in_flight: InFlight) -> Outcome {
    if effect.gzip {
        reply.content = reply.content.gzipped();
        reply.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let status = Some(reply.status.as_u16());
    let (pieces, every_ms, reset, status): (Chunks, u64, bool, Option<u16>) = match effect.delivery {
        Delivery::Normal => return Outcome::answer(reply, |content| ApiBody::new(content, in_flight)),
        Delivery::SlowBody { bytes, every_ms } => {
            let every = Duration::from_millis(every_ms);
            return Outcome::answer(reply, |content| ApiBody::new(content, in_flight).paced(bytes, every));
        }
        Delivery::Reset => (Box::new(std::iter::empty()), 0, true, None),
        Delivery::Close => (Box::new(std::iter::empty()), 0, false, None),
        Delivery::Garbage => (Box::new(std::iter::once(Bytes::from_static(GARBAGE))), 0, false, None),
        Delivery::Truncated { keep, reset } => (truncated(reply, keep), 0, reset, status),
        Delivery::SlowHead { every_ms } => (byte_by_byte(reply), every_ms, false, status),
    };
    let every = Duration::from_millis(every_ms);
    Outcome::Takeover(Takeover { pieces, every, reset, _in_flight: in_flight }, status)
}

/// A head that promises more than comes.
fn truncated(mut reply: Reply, keep: u64) -> Chunks {
    let promised = reply.content.length.unwrap_or_else(|| keep.saturating_add(1_000_000));
    // At least one byte has to be missing.
    let keep = keep.min(promised.saturating_sub(1));
    reply.headers.insert(CONTENT_LENGTH, promised.into());
    let head = head(&reply);
    let mut left = usize::try_from(keep).unwrap_or(usize::MAX);
    let body = reply.content.chunks.map_while(move |mut chunk| {
        chunk.truncate(left);
        left -= chunk.len();
        (!chunk.is_empty()).then_some(chunk)
    });
    Box::new(std::iter::once(head).chain(body))
}

/// The head in pieces of one byte, and then the body, whose end is the end of the connection.
fn byte_by_byte(mut reply: Reply) -> Chunks {
    reply.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let head = head(&reply);
    let bytes = (0..head.len()).map(move |at| head.slice(at..=at));
    Box::new(bytes.chain(reply.content.chunks))
}

fn head(reply: &Reply) -> Bytes {
    let Reply { status, headers, content: _ } = reply;
    let reason = status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head.into()
}
