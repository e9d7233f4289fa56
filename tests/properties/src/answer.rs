//! What a server answers → what is said about a token, or about an id.
//!
//! Input: a line `STATUS CALL CAP cut`, all of it optional, then the body. CALL is `user`, `team`, `space`, `channels` or
//! `node`; CAP is how many bytes of a good body are read; with `cut` it breaks off.

use crate::{
    first_line, is_digits, is_one_bounded_line, is_shown_name,
    response::{Delivery, read},
    words,
};
use bytes::Bytes;
use clickup_operator::{
    api::Reason,
    clickup::{
        Answer, ChannelsAnswer, ErrorBody, Failure, Named, NoVerdict, NodeAnswer, NodeVerdict, SpacesAnswer,
        TeamsAnswer, TokenVerdict, Unusable, UserAnswer, judge_node, judge_token,
    },
};
use jiff::SignedDuration;
use serde::de::DeserializeSeed;
use serde_json::{Map, Value};

const RESET: Option<SignedDuration> = Some(SignedDuration::from_secs(40));

/// Of an error body, no more than this counts.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// Bytes of a cursor, which goes back into a URL.
const MAX_CURSOR: usize = 1024;

/// CLICKUP.md §3; the last one only where no id can be meant.
const DEAD: [&str; 5] = ["OAUTH_019", "OAUTH_021", "OAUTH_025", "OAUTH_077", "OAUTH_018"];

struct Input<'a> {
    status: u16,
    cap: u64,
    cut: bool,
    body: &'a [u8],
}

/// Verdicts follow CLICKUP.md §5 and nothing of the server's text gets into a message.
pub fn answer(input: &[u8]) {
    let (line, body) = first_line(input);
    let mut words = words(line);
    let status = words.next().and_then(|word| word.parse().ok());
    let status = status.filter(|status| (100..1000).contains(status)).unwrap_or(200);
    let call = words.next().unwrap_or_default();
    let cap = words.next().and_then(|word| word.parse().ok()).unwrap_or(1024 * 1024);
    let input = Input { status, cap, cut: words.next() == Some("cut"), body };
    match call {
        "team" => input.judge(TeamsAnswer { user_id: "183".into() }, |workspaces| {
            assert!(workspaces.iter().all(|w| is_digits(&w.id)), "{workspaces:?}");
            assert!(workspaces.iter().filter_map(|w| w.name.as_deref()).all(is_shown_name), "{workspaces:?}");
        }),
        "space" => input.judge(SpacesAnswer, |spaces| are_named(spaces)),
        "channels" => input.judge(ChannelsAnswer { cursor: Some("here".into()) }, |page| {
            are_named(&page.channels);
            let next = page.next.as_deref();
            assert!(next.is_none_or(|next| (1..=MAX_CURSOR).contains(&next.len()) && next != "here"));
            assert!(page.channels.iter().all(|c| c.name.as_deref().is_some_and(|name| !name.is_empty())));
        }),
        "node" => input.judge(NodeAnswer, |()| {}),
        _ => input.judge(UserAnswer, |user| {
            assert!(is_digits(&user.id), "{user:?}");
            assert!(user.name.as_deref().is_none_or(is_shown_name), "{user:?}");
        }),
    }
}

fn are_named(list: &[Named]) {
    for Named { id, name } in list {
        assert!((1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()), "{id:?}");
        assert!(name.as_deref().is_none_or(is_shown_name), "{name:?}");
    }
    assert!(list.is_sorted_by(|a, b| (a.id.len(), &a.id) < (b.id.len(), &b.id)), "each once, in order");
}

impl Input<'_> {
    fn judge<S, T>(&self, seed: S, check: impl FnOnce(&T))
    where
        S: for<'de> DeserializeSeed<'de, Value = T> + Send + 'static,
        T: Clone + Send + 'static,
    {
        let pieces = self.body.chunks(4096).map(Bytes::copy_from_slice).collect();
        let delivery = Delivery { status: self.status, pieces, cut: self.cut, cap: self.cap };
        let answer = read(delivery, seed);
        let good = matches!(answer, Answer::Good(_));
        if let Answer::Good(value) = &answer {
            assert!((200..300).contains(&self.status) && !self.cut);
            assert!(self.body.len() as u64 <= self.cap, "a body over the cap");
            check(value);
        }
        let code = self.code();
        let code = code.as_deref();
        let limited = self.status >= 400 && (self.status == 429 || code == Some("APP_002"));

        let verdict = judge_token(answer.clone(), RESET);
        let dead = self.status == 401 && code.is_some_and(|code| DEAD.contains(&code));
        assert_eq!(matches!(verdict, TokenVerdict::Rejected), dead, "{} {code:?}", self.status);
        assert_eq!(matches!(verdict, TokenVerdict::Valid(_)), good);
        if let TokenVerdict::NoVerdict(no) = &verdict {
            self.is_no_verdict(no, code, limited);
        }

        let verdict = judge_node(answer, RESET);
        let dead = self.status == 401 && code.is_some_and(|code| DEAD[..4].contains(&code));
        assert_eq!(matches!(verdict, NodeVerdict::TokenDead), dead, "{} {code:?}", self.status);
        match &verdict {
            NodeVerdict::Granted(_) => assert!(good),
            NodeVerdict::NotFound | NodeVerdict::Denied | NodeVerdict::PlanRequired => {
                let of_an_id = match self.status {
                    400 => code != Some("OAUTH_017"),
                    401 | 403 | 404 => true,
                    500.. => code.is_some_and(|code| code.starts_with("SHARD_")),
                    _ => false,
                };
                assert!(of_an_id && !limited && self.object().is_some(), "{} {code:?}", self.status);
            }
            NodeVerdict::TokenDead => {}
            NodeVerdict::NoVerdict(no) => self.is_no_verdict(no, code, limited),
        }
    }

    /// The error body as a plain decoder reads it.
    fn object(&self) -> Option<Map<String, Value>> {
        let start = &self.body[..self.body.len().min(MAX_ERROR_BODY)];
        serde_json::from_slice(start).ok().filter(|_| self.status >= 400)
    }

    fn code(&self) -> Option<String> {
        self.object()?.get("ECODE")?.as_str().map(str::to_owned)
    }

    fn is_no_verdict(&self, no: &NoVerdict, code: Option<&str>, limited: bool) {
        let reason = match self.status {
            _ if limited => Reason::RateLimited,
            400 if code == Some("OAUTH_017") => Reason::RequestRefused,
            401 | 403 => Reason::RequestRefused,
            500.. => Reason::ServerError,
            _ => Reason::UnexpectedResponse,
        };
        assert_eq!(no.reason, reason, "{} {code:?}", self.status);
        assert_eq!(no.reset_in, RESET.filter(|_| limited));
        assert!(is_one_bounded_line(&no.message), "{:?}", no.message);
        assert!(
            self.texts().contains(&no.message),
            "a message that no other body leads to: {:?}",
            no.message
        );
    }

    /// All that may be said about an answer with this status, whatever is in it.
    fn texts(&self) -> Vec<String> {
        let coded = |code: &str| ErrorBody { json: true, code: Some(code.into()), ..ErrorBody::default() };
        let errors = [ErrorBody::default(), coded("APP_002"), coded("OAUTH_017")];
        let errors = errors.into_iter().map(|body| Answer::<()>::Error { status: self.status, body });
        use Unusable::{NotJson, Redirect, Status, TooLarge, Truncated, WrongShape};
        let unusable = [NotJson, Redirect, Status, TooLarge, Truncated, WrongShape].map(Answer::Unusable);
        let said = errors.chain(unusable).chain([Answer::Failed(Failure::Garbled(""))]).map(|answer| {
            match judge_token(answer, None) {
                TokenVerdict::NoVerdict(no) => no.message,
                TokenVerdict::Valid(()) | TokenVerdict::Rejected => String::new(),
            }
        });
        said.collect()
    }
}
