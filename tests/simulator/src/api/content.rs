//! The body of an answer: chunks that are made while they are sent, so that no answer is ever held whole.

use std::convert::Infallible;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use crate::shared::InFlight;

/// Bytes that are made at once.
pub(super) const CHUNK: usize = 16 * 1024;

pub(crate) type Chunks = Box<dyn Iterator<Item = Bytes> + Send>;

/// What an answer says.
pub(crate) struct Content {
    /// Bytes of all chunks, if that is known.
    pub(crate) length: Option<u64>,
    pub(crate) chunks: Chunks,
}

impl Content {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { length: Some(bytes.len() as u64), chunks: Box::new(std::iter::once(bytes)) }
    }

    pub(crate) fn streamed(chunks: impl Iterator<Item = Bytes> + Send + 'static) -> Self {
        Self { length: None, chunks: Box::new(chunks) }
    }

    /// A JSON object of so many bytes (at least an empty one), most of them padding.
    pub(crate) fn huge(bytes: u64) -> Self {
        const HEAD: &[u8] = br#"{"padding":""#;
        const TAIL: &[u8] = br#""}"#;
        let Some(padding) = bytes.checked_sub((HEAD.len() + TAIL.len()) as u64) else {
            return Self::whole(&b"{}"[..]);
        };
        let block = Bytes::from(vec![b'x'; CHUNK]);
        let whole = usize::try_from(padding / CHUNK as u64).unwrap_or(usize::MAX);
        let rest = usize::try_from(padding % CHUNK as u64).unwrap_or(0);
        let chunks = std::iter::once(Bytes::from_static(HEAD))
            .chain(std::iter::repeat_n(block.clone(), whole))
            .chain([block.slice(..rest), Bytes::from_static(TAIL)]);
        Self { length: Some(bytes), chunks: Box::new(chunks) }
    }

    pub(crate) fn gzipped(self) -> Self {
        Self::streamed(Gzipped {
            chunks: self.chunks,
            encoder: Some(GzEncoder::new(Vec::new(), Compression::fast())),
        })
    }
}

struct Gzipped {
    chunks: Chunks,
    /// Gone when all is said.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Iterator for Gzipped {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        while let Some(encoder) = &mut self.encoder {
            // Writing into memory cannot fail.
            let bytes = match self.chunks.next() {
                Some(chunk) => encoder.write_all(&chunk).map(|()| std::mem::take(encoder.get_mut())),
                None => self.encoder.take()?.finish(),
            };
            match bytes {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Some(bytes.into()),
                Err(_) => return None,
            }
        }
        None
    }
}

/// A body in pieces with pauses between them.
struct Pace {
    bytes: usize,
    every: Duration,
    pause: Pin<Box<Sleep>>,
    rest: Bytes,
}

/// The body as hyper takes it.
pub(crate) struct ApiBody {
    left: Option<u64>,
    chunks: Chunks,
    pace: Option<Pace>,
    /// Lives as long as the answer is being sent.
    _in_flight: InFlight,
}

impl ApiBody {
    pub(crate) fn new(content: Content, in_flight: InFlight) -> Self {
        Self { left: content.length, chunks: content.chunks, pace: None, _in_flight: in_flight }
    }

    pub(crate) fn paced(mut self, bytes: usize, every: Duration) -> Self {
        let pause = Box::pin(sleep(every));
        self.pace = Some(Pace { bytes: bytes.max(1), every, pause, rest: Bytes::new() });
        self
    }
}

impl Body for ApiBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Self { left, chunks, pace, .. } = &mut *self;
        let next = match pace {
            None => chunks.next(),
            Some(pace) => {
                ready!(pace.pause.as_mut().poll(cx));
                pace.pause.as_mut().reset(Instant::now() + pace.every);
                pace.next(chunks)
            }
        };
        Poll::Ready(next.map(|bytes| {
            *left = left.map(|left| left.saturating_sub(bytes.len() as u64));
            Ok(Frame::data(bytes))
        }))
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Pace {
    fn next(&mut self, chunks: &mut Chunks) -> Option<Bytes> {
        while self.rest.is_empty() {
            self.rest = chunks.next()?;
        }
        Some(self.rest.split_to(self.bytes.min(self.rest.len())))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_huge_body_is_json_of_exactly_that_length() {
        for bytes in [2, 14, 15, 16_384, 100_000] {
            let content = Content::huge(bytes);
            let length = content.length;
            let body: Vec<u8> = content.chunks.flatten().collect();
            assert_eq!(body.len() as u64, bytes);
            assert_eq!(length, Some(bytes));
            serde_json::from_slice::<serde_json::Value>(&body).unwrap();
        }
    }

    #[test]
    fn gzip_keeps_the_content() {
        let packed: Vec<u8> = Content::huge(1_000_000).gzipped().chunks.flatten().collect();
        assert!(packed.len() < 100_000);
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut plain).unwrap();
        assert_eq!(plain.len(), 1_000_000);
    }
}
