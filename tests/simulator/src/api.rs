//! One request to ClickUp, from the header to what is sent back.

mod channels;
mod content;
mod members;
mod nodes;
mod reply;
mod route;
mod views;

use std::sync::Arc;

use hyper::http::request::Parts;

pub(crate) use content::{ApiBody, Chunks, Content};
pub(crate) use reply::Reply;

use crate::credentials::Credentials;
use crate::fault::Effect;
use crate::journal::Arrival;
use crate::server::delivery::{Outcome, deliver};
use crate::shared::{InFlight, Shared, now};
use crate::world::Caller;

/// Answers a request, or tells what happens to its connection instead.
pub(crate) async fn answer(shared: &Arc<Shared>, request: &Parts) -> Outcome {
    let path = request.uri.path();
    let path = path.strip_prefix("/api").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let credentials = Credentials::from_headers(&request.headers);
    let time = now();
    let caller = shared.world().admit(&credentials, time);
    let mut effect = shared.faults().strike(&caller.name, path);
    let seq = shared.journal().arrived(Arrival {
        time,
        token: Arc::clone(&caller.name),
        live: caller.access == crate::world::Access::Granted,
        sent: credentials.sent,
        method: request.method.clone(),
        path: path.to_owned(),
        query: request.uri.query().unwrap_or_default().to_owned(),
        faults: std::mem::take(&mut effect.faults),
    });
    let in_flight = InFlight::new(shared, &caller.name, seq);

    let delay = shared.latency() + effect.delay;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let reply = reply(shared, request, path, &caller, &effect);
    let outcome = deliver(reply, &effect, in_flight);
    shared.journal().answered(seq, &caller.name, path, outcome.status());
    shared.announce();
    outcome
}

fn reply(shared: &Shared, request: &Parts, path: &str, caller: &Caller, effect: &Effect) -> Reply {
    let mut reply = match &effect.answer {
        Some(answer) => Reply::fault(answer),
        None if caller.standing.over => Reply::rate_limited(),
        None => route::route(&shared.world(), caller, request, path),
    };
    reply.stamp(&caller.standing);
    effect.headers.iter().for_each(|edits| reply.edit(edits));
    reply
}
