//! A simulated ClickUp.

use super::*;
use crate::clickup::{
    Answer, ChannelPage, ErrorBody, Failure, Named, NodeKind, RateLimit, Reply, User, Workspace,
};
use futures::{FutureExt, future::BoxFuture};

/// ClickUp: one limit for each token, in fixed windows of a minute.
#[derive(Default)]
pub(super) struct Simulated {
    world: Mutex<World>,
}

#[derive(Default)]
pub(super) struct World {
    pub(super) limit: u32,
    /// Requests in the present minute, by token.
    pub(super) window: BTreeMap<String, (i64, u32)>,
    /// Each request: when, whose, path, and whether it was refused with 429.
    pub(super) log: Vec<(i64, String, String, bool)>,
    pub(super) down: bool,
    pub(super) rejects: bool,
    /// Requests of others with the same token, at the begin of each minute.
    pub(super) foreign: u32,
    /// Answers tell nothing about the limit.
    pub(super) bare: bool,
    /// Lists are answered after a minute.
    pub(super) slow_lists: bool,
    /// While down, requests hang.
    pub(super) hangs: bool,
    /// How long /user takes, in ms.
    pub(super) user_takes: u64,
    /// The next request to this path is refused with 429.
    pub(super) refuses: Option<&'static str>,
    /// This token's requests always fail.
    pub(super) fails: Option<u32>,
    /// What was sent and what came back as 429, in their order.
    pub(super) order: Vec<&'static str>,
}

impl Simulated {
    pub(super) fn new(limit: u32) -> Arc<Self> {
        Arc::new(Self { world: Mutex::new(World { limit, ..World::default() }) })
    }

    pub(super) fn world<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut self.world.lock().unwrap())
    }

    pub(super) fn requests(&self) -> usize {
        self.world(|w| w.log.len())
    }

    pub(super) fn to(&self, path: &str) -> usize {
        self.world(|w| w.log.iter().filter(|(_, _, p, _)| p == path).count())
    }

    async fn answer<T>(&self, token: &Token, path: String, good: T) -> Reply<T> {
        let slow = self.world(|w| {
            w.order.push("sent");
            w.slow_lists && path.starts_with("list")
        });
        // Not all answers come in the order of their requests.
        let jitter = path.bytes().map(u64::from).sum::<u64>() * 7 % 23;
        let more = self.world(|w| {
            if w.down && w.hangs {
                600_000
            } else if path == "user" {
                w.user_takes
            } else {
                0
            }
        });
        sleep(StdDuration::from_millis(if slow { 60_000 } else { 40 + jitter + more })).await;
        let (answer, rate_limit, status) = self.world(|w| {
            let name = format!("{:?}", TOKENS.with(|keys| keys.key(token)).seed());
            let mine =
                w.fails.map(|n| Token::parse(format!("pk_{n}").as_bytes(), TokenType::Personal).unwrap());
            let mine = mine.is_some_and(|t| format!("{:?}", TOKENS.with(|keys| keys.key(&t)).seed()) == name);
            if mine {
                w.order.push("mine");
            }
            if w.down || mine {
                w.log.push((second(), name, path, false));
                return (Answer::Failed(Failure::Connect("connection refused")), RateLimit::default(), None);
            }
            let (minute, foreign) = (second() / 60, w.foreign);
            let window = w.window.entry(name.clone()).or_insert((minute, foreign));
            if window.0 != minute {
                *window = (minute, foreign);
            }
            window.1 += 1;
            let over = window.1 > w.limit || w.refuses.take_if(|refused| *refused == path).is_some();
            let remaining = w.limit.saturating_sub(window.1);
            w.log.push((second(), name, path, over));
            let reset_in = SignedDuration::from_secs(60 - second() % 60);
            let mut told =
                RateLimit { limit: Some(w.limit), remaining: Some(remaining), reset_in: Some(reset_in) };
            if w.bare {
                told = RateLimit::default();
            }
            if over {
                w.order.push("429");
            }
            let error = |status, code: &str| {
                let body = ErrorBody { json: true, code: Some(code.to_owned()), ..ErrorBody::default() };
                (Answer::Error { status, body }, told, Some(status))
            };
            match (over, w.rejects) {
                (true, _) => error(429, "APP_002"),
                (_, true) => error(401, "OAUTH_025"),
                _ => (Answer::Good(good), told, Some(200)),
            }
        });
        Reply { answer, rate_limit, status, elapsed: StdDuration::from_millis(50) }
    }
}

pub(super) struct Calls(pub(super) Arc<Simulated>);

impl ClickUp for Calls {
    fn user<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Reply<User>> {
        self.0.answer(token, "user".into(), User { id: "183".into(), name: None }).boxed()
    }

    fn workspaces<'a>(&'a self, token: &'a Token, _: &'a str) -> BoxFuture<'a, Reply<Vec<Workspace>>> {
        let seen = vec![Workspace { id: "90".into(), name: Some("Acme".into()), role: None }];
        self.0.answer(token, "team".into(), seen).boxed()
    }

    fn spaces<'a>(&'a self, token: &'a Token, id: &'a str) -> BoxFuture<'a, Reply<Vec<Named>>> {
        let space = Named { id: "7".into(), name: Some("Engineering".into()) };
        self.0.answer(token, format!("team/{id}/space"), vec![space]).boxed()
    }

    fn channels<'a>(
        &'a self,
        token: &'a Token,
        _: &'a str,
        _: Option<&'a str>,
    ) -> BoxFuture<'a, Reply<ChannelPage>> {
        self.0.answer(token, "channels".into(), ChannelPage { channels: Vec::new(), next: None }).boxed()
    }

    fn node<'a>(&'a self, token: &'a Token, kind: NodeKind, id: &'a str) -> BoxFuture<'a, Reply<()>> {
        self.0.answer(token, format!("{kind}/{id}"), ()).boxed()
    }
}
