//! The bytes of a Secret → a token, or what a status says is wrong.
//!
//! Input: a line `TOKEN_TYPE SECRET_TYPE LABEL long`, all of it optional and `-` for no label, then the value. With `long`
//! the names of Secret and key are as long as they can be.

use crate::{first_line, is_one_bounded_line, words};
use clickup_operator::{
    api::{SecretKeyRef, StoredConnection, TokenType},
    clickup::{Token, TokenKeys},
    connection::{SecretContent, Session, StatusOptions, TokenProblem, TokenReading, TokenSource, token_of},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::{collections::BTreeSet, sync::LazyLock};
use zeroize::Zeroizing;

const MOST: usize = 512;
const LONGEST_NAME: usize = 253;

/// One of each kind of value that is refused.
const REFUSED: [&[u8]; 8] =
    [b"", b"\"x\"", b"Bearer x", b"x y", b"x\xff", &[b'x'; MOST + 1], b"other", b"pk_x"];

/// All that may ever be said about Secrets: what was said about values that are not the one at hand. So no part of a value
/// can be in it, however short, and no word that a value shares with our texts is taken for one.
static TEXTS: LazyLock<BTreeSet<Vec<String>>> = LazyLock::new(|| {
    let mut texts = BTreeSet::new();
    for kind in [TokenType::Personal, TokenType::OAuth] {
        for type_ in ["Opaque", "kubernetes.io/tls"] {
            for label in [None, Some("OAuth")] {
                for long in [false, true] {
                    for value in REFUSED {
                        let case = Case { kind, type_, label, long, value };
                        texts.extend(case.token().err().map(|problem| case.said(problem)));
                    }
                }
            }
        }
    }
    texts
});

static KEYS: LazyLock<Option<TokenKeys>> = LazyLock::new(|| TokenKeys::generate().ok());

struct Case<'a> {
    kind: TokenType,
    type_: &'a str,
    label: Option<&'a str>,
    long: bool,
    value: &'a [u8],
}

/// Only what the contract allows is sent, and nothing of what is not sent is shown.
pub fn token(input: &[u8]) {
    let (line, value) = first_line(input);
    let mut words = words(line);
    let kind = if words.next() == Some("OAuth") { TokenType::OAuth } else { TokenType::Personal };
    let type_ = words.next().unwrap_or("Opaque");
    let label = words.next().filter(|label| *label != "-");
    let case = Case { kind, type_, label, long: words.next() == Some("long"), value };
    match case.token() {
        Ok(token) => {
            assert!(case.may_be_sent(), "sent against the contract");
            assert_eq!(format!("{token:?}"), format!("Token({kind})"));
            case.is_one_token(&token);
        }
        Err(problem) => {
            assert!(!case.is_surely_one(), "a good token is refused");
            let said = case.said(problem);
            assert!(said.iter().skip(1).all(|text| is_one_bounded_line(text)), "{said:?}");
            assert!(TEXTS.contains(&said), "a message that was not said about other values");
        }
    }
}

impl Case<'_> {
    fn source(&self) -> SecretKeyRef {
        let name =
            |short: &str, letter: &str| if self.long { letter.repeat(LONGEST_NAME) } else { short.into() };
        SecretKeyRef { name: name("clickup-token", "s"), key: name("token", "k") }
    }

    fn token(&self) -> Result<Token, TokenProblem> {
        let source = self.source();
        let data = [(source.key.clone(), Zeroizing::new(self.value.to_vec()))].into();
        let (type_, label) = (self.type_.to_owned(), self.label.map(str::to_owned));
        token_of(&SecretContent { type_, token_type_label: label, data }, &source, self.kind)
    }

    /// The contract's §1, "Tokens".
    fn may_be_sent(&self) -> bool {
        let value = self.value.trim_ascii();
        let quote = |byte: Option<&u8>| byte.is_some_and(|byte| b"\"'".contains(byte));
        let personal = value.starts_with(b"pk_");
        (1..=MOST).contains(&value.len())
            && value.iter().all(|byte| (b'!'..=b'~').contains(byte))
            && !quote(value.first())
            && !quote(value.last())
            && match self.kind {
                TokenType::Personal => personal,
                TokenType::OAuth => !personal && self.label == Some("OAuth"),
            }
            && (self.type_ == "Opaque"
                || self.type_.starts_with("clickup-operator.dev/")
                || self.type_.starts_with("servicebinding.io/"))
    }

    /// What follows "Bearer" decides whether that is a prefix; the contract leaves some of it open.
    fn is_surely_one(&self) -> bool {
        let prefix = self.value.trim_ascii().get(..6);
        self.may_be_sent() && !prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"bearer"))
    }

    /// White space around it makes no other token of it, and any other byte does.
    fn is_one_token(&self, token: &Token) {
        let Some(keys) = &*KEYS else { return };
        let parse = |value: &[u8]| Token::parse(value, self.kind).ok().map(|token| keys.key(&token));
        let padded = [b" \t\r\n", self.value, b"\n"].concat();
        assert_eq!(parse(&padded), Some(keys.key(token)));
        let longer = [self.value.trim_ascii(), b"x"].concat();
        assert_ne!(parse(&longer), Some(keys.key(token)));
    }

    /// All that can be read about a problem: how it is printed, and the messages of the status that follows.
    fn said(&self, problem: TokenProblem) -> Vec<String> {
        let source = self.source();
        let object = json!({
            "metadata": {"name": "c", "namespace": "n", "uid": "u", "generation": 1, "resourceVersion": "1"},
            "spec": {"tokenSecretRef": {"name": source.name, "key": source.key}, "tokenType": self.kind},
        });
        let mut said = vec![format!("{problem:?}")];
        let Ok(stored) = serde_json::from_value::<StoredConnection>(object) else { return said };
        let Ok(spec) = &stored.spec else { return said };
        let now = Timestamp::UNIX_EPOCH;
        let mut session = Session::recall(&stored, now);
        session.notice(&stored, spec, TokenSource::own("n", spec), None, now);
        let reading = TokenReading::Unavailable { problem, version: Some("1".into()) };
        session.token_read(reading, None, now);
        let options = StatusOptions { username: false, heartbeat: SignedDuration::from_hours(1) };
        let status = session.status(&stored, None, options, now);
        assert!(status.is_some(), "a problem makes a status");
        said.extend(
            status.iter().flat_map(|s| s.conditions.iter()).map(|condition| condition.message.to_string()),
        );
        said
    }
}
