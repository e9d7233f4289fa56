//! Looks at the term before every write, as near to the wire as can be: no writer can forget it.

use super::{Term, TermOver};
use futures::future::{Either, Ready, ready};
use hyper::{Method, Request};
use std::task::{Context, Poll};
use tower::{BoxError, Service};

/// A service that sends no write once the term is over. Reads pass.
#[derive(Clone, Debug)]
pub struct WriteGuard<S> {
    inner: S,
    term: Term,
}

impl<S> WriteGuard<S> {
    /// In front of `inner`.
    pub fn new(inner: S, term: Term) -> Self {
        Self { inner, term }
    }
}

impl<S, B> Service<Request<B>> for WriteGuard<S>
where
    S: Service<Request<B>, Error: Into<BoxError>>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Either<Ready<Result<S::Response, BoxError>>, futures::future::ErrInto<S::Future, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        use futures::TryFutureExt;
        match self.may_be_sent(request.method()) {
            Ok(()) => Either::Right(self.inner.call(request).err_into()),
            Err(over) => Either::Left(ready(Err(over.into()))),
        }
    }
}

impl<S> WriteGuard<S> {
    fn may_be_sent(&self, method: &Method) -> Result<(), TermOver> {
        if matches!(*method, Method::GET | Method::HEAD) { Ok(()) } else { self.term.check() }
    }
}
