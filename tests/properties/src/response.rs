//! Responses without a network, read as the client reads them.

use bytes::Bytes;
use clickup_operator::clickup::{Answer, read_answer};
use http::StatusCode;
use reqwest::{Body, Response};
use serde::de::DeserializeSeed;
use std::{io, sync::LazyLock};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Option<Runtime>> = LazyLock::new(|| Builder::new_current_thread().build().ok());

/// How a body arrives, and how much of it is read.
pub(crate) struct Delivery {
    pub(crate) status: u16,
    /// In bytes; a body without pieces is empty.
    pub(crate) pieces: Vec<Bytes>,
    /// It breaks off after them.
    pub(crate) cut: bool,
    pub(crate) cap: u64,
}

/// What the operator makes of it.
pub(crate) fn read<S, T>(delivery: Delivery, seed: S) -> Answer<T>
where
    S: for<'de> DeserializeSeed<'de, Value = T> + Send + 'static,
    T: Send + 'static,
{
    let Delivery { status, pieces, cut, cap } = delivery;
    let end = cut.then(|| Err(io::Error::from(io::ErrorKind::UnexpectedEof)));
    let body = Body::wrap_stream(futures::stream::iter(pieces.into_iter().map(Ok).chain(end)));
    let mut response = http::Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let runtime = RUNTIME.as_ref();
    assert!(runtime.is_some(), "there is no runtime");
    let answer = runtime.map(|runtime| runtime.block_on(read_answer(Response::from(response), cap, seed)));
    answer.unwrap_or(Answer::Failed(clickup_operator::clickup::Failure::TimedOut))
}
