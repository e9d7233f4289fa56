//! Bodies as streams: decoded while they arrive and never held whole, up to a cap.

use super::{Failure, Unusable, verdict::Answer};
use reqwest::Response;
use serde::de::DeserializeSeed;
use std::io::{self, Read};
use tokio::sync::mpsc;

/// Bodies up to this size are decoded in place; larger ones on a thread that may block.
const SMALL: usize = 64 * 1024;

/// Bytes that are handed to that thread at once. What arrives at once can be far more, and several of those would wait.
const PIECE: usize = 16 * 1024;

/// Of an error body, no more than this is read.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// Decodes the JSON body of a good answer.
pub(super) async fn decode<S, T>(mut response: Response, cap: u64, seed: S) -> Answer<T>
where
    S: for<'de> DeserializeSeed<'de, Value = T> + Send + 'static,
    T: Send + 'static,
{
    let mut head = Vec::new();
    while head.len() <= SMALL {
        match response.chunk().await {
            Ok(Some(chunk)) => head.extend_from_slice(&chunk),
            Ok(None) if head.len() as u64 > cap => return Answer::Unusable(Unusable::TooLarge),
            Ok(None) => return parse(head.as_slice(), seed),
            Err(error) => return interrupted(&error),
        }
    }
    decode_large(head, response, cap, seed).await
}

async fn decode_large<S, T>(head: Vec<u8>, mut response: Response, cap: u64, seed: S) -> Answer<T>
where
    S: for<'de> DeserializeSeed<'de, Value = T> + Send + 'static,
    T: Send + 'static,
{
    let mut size = head.len() as u64;
    // One piece in flight: the decoder sets the pace of the network.
    let (pieces, rest) = mpsc::channel(1);
    let decoder =
        tokio::task::spawn_blocking(move || parse(Pieces { current: io::Cursor::new(head), rest }, seed));
    let ended = 'body: loop {
        if size > cap {
            break Some(Answer::Unusable(Unusable::TooLarge));
        }
        match response.chunk().await {
            Ok(Some(chunk)) => {
                size += chunk.len() as u64;
                for piece in chunk.chunks(PIECE) {
                    if pieces.send(piece.to_vec()).await.is_err() {
                        break 'body None; // The decoder has seen enough.
                    }
                }
            }
            Ok(None) => break None,
            Err(error) => break Some(interrupted(&error)),
        }
    };
    drop(pieces);
    let decoded = decoder.await.unwrap_or(Answer::Unusable(Unusable::NotJson));
    ended.unwrap_or(decoded)
}

/// The start of an error body: enough for its code.
pub(super) async fn start_of(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < MAX_ERROR_BODY {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk[..chunk.len().min(MAX_ERROR_BODY - body.len())]),
            Ok(None) | Err(_) => break,
        }
    }
    body
}

fn parse<T>(body: impl Read, seed: impl for<'de> DeserializeSeed<'de, Value = T>) -> Answer<T> {
    let mut json = serde_json::Deserializer::from_reader(io::BufReader::new(body));
    match seed.deserialize(&mut json).and_then(|value| json.end().map(|()| value)) {
        Ok(value) => Answer::Good(value),
        Err(error) if error.is_data() => Answer::Unusable(Unusable::WrongShape),
        Err(_) => Answer::Unusable(Unusable::NotJson),
    }
}

fn interrupted<T>(error: &reqwest::Error) -> Answer<T> {
    match Failure::of(error) {
        Failure::Garbled(_) => Answer::Unusable(Unusable::Truncated),
        failure => Answer::Failed(failure),
    }
}

/// The pieces that the network side sends, as a reader; ends when that side is dropped, be it by a timeout.
struct Pieces {
    current: io::Cursor<Vec<u8>>,
    rest: mpsc::Receiver<Vec<u8>>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.current.read(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            match self.rest.blocking_recv() {
                Some(piece) => self.current = io::Cursor::new(piece),
                None => return Ok(0),
            }
        }
    }
}
