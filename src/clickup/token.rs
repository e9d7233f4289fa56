//! A token that cannot be printed, and the keys under which checks of it are shared.

use crate::api::TokenType;
use reqwest::header::HeaderValue;
use ring::{hmac, rand};
use std::fmt;
use zeroize::Zeroizing;

const MAX_LENGTH: usize = 512;

/// A ClickUp API token, fit to be sent. Wiped from memory when dropped.
pub struct Token {
    value: Zeroizing<String>,
    kind: TokenType,
}

/// Why a value is not sent as a token. The texts hold nothing of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// Nothing but white space.
    #[error("the value is empty: store the ClickUp token there")]
    Empty,
    /// It has a shape that no token has.
    #[error("{0}")]
    Malformed(&'static str),
    /// It is not of the declared kind.
    #[error("{0}")]
    WrongType(&'static str),
}

impl Token {
    /// Reads a token as people store it: surrounding white space is ignored, everything else must be right, because
    /// what is not surely a token of the declared kind must not be sent to a third party.
    ///
    /// # Errors
    /// Says what is wrong with the value and what to store instead.
    pub fn parse(value: &[u8], kind: TokenType) -> Result<Self, InvalidToken> {
        use InvalidToken::{Empty, Malformed, WrongType};
        let value = value.trim_ascii();
        let quote = |b: Option<&u8>| matches!(b, Some(b'"' | b'\''));
        if value.is_empty() {
            return Err(Empty);
        }
        if quote(value.first()) || quote(value.last()) {
            return Err(Malformed("the value has quotes around it: store the token without them"));
        }
        if value.get(..6).is_some_and(|p| p.eq_ignore_ascii_case(b"bearer"))
            && value.get(6).is_none_or(|b| !b.is_ascii_alphanumeric())
        {
            return Err(Malformed(
                "the value starts with \"Bearer\": store the token alone, without that prefix",
            ));
        }
        if !value.iter().all(u8::is_ascii_graphic) {
            return Err(Malformed(
                "the value has white space, control or non-ASCII characters inside: store the token alone, on one line",
            ));
        }
        if value.len() > MAX_LENGTH {
            return Err(Malformed("the value is longer than 512 characters: store the ClickUp token alone"));
        }
        match (kind, value.starts_with(b"pk_")) {
            (TokenType::Personal, false) => Err(WrongType(
                "the value is not a personal ClickUp token, which starts with \"pk_\": store one, or set tokenType: OAuth for an OAuth access token",
            )),
            (TokenType::OAuth, true) => Err(WrongType(
                "the value is a personal ClickUp token: set tokenType: Personal, or store the OAuth access token",
            )),
            _ => {
                let text = String::from_utf8(value.to_vec()).map_err(|_| Empty)?;
                Ok(Self { value: Zeroizing::new(text), kind })
            }
        }
    }

    /// The kind of token it is.
    pub fn kind(&self) -> TokenType {
        self.kind
    }

    /// The Authorization header: a personal token raw, an OAuth token as Bearer (CLICKUP, "Authentication"; official).
    pub(super) fn authorization(&self) -> Result<HeaderValue, reqwest::header::InvalidHeaderValue> {
        let text = match self.kind {
            TokenType::Personal => self.value.clone(),
            TokenType::OAuth => Zeroizing::new(format!("Bearer {}", self.value.as_str())),
        };
        let mut header = HeaderValue::from_str(&text)?;
        header.set_sensitive(true);
        Ok(header)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.kind)
    }
}

/// Stands for a token where checks are shared. It cannot be traced back to the token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// A place in 0..1, to spread over time what many tokens are due for at once.
    pub fn spread(&self) -> f64 {
        f64::from(self.0[0]) / 256.0
    }

    /// A number to make jitter of.
    pub fn seed(&self) -> u64 {
        self.0.iter().skip(1).take(8).fold(0, |n, byte| n << 8 | u64::from(*byte))
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey")
    }
}

/// Makes token keys: an HMAC under a key of this process, made at start and never stored.
pub struct TokenKeys(hmac::Key);

impl TokenKeys {
    /// Draws the key of this process.
    ///
    /// # Errors
    /// Fails when the system has no randomness to give.
    pub fn generate() -> Result<Self, ring::error::Unspecified> {
        hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new()).map(Self)
    }

    /// The key of a token: equal for equal tokens of the same kind.
    pub fn key(&self, token: &Token) -> TokenKey {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(<&str>::from(token.kind).as_bytes());
        context.update(&[0]);
        context.update(token.value.as_bytes());
        let mut key = [0; 32];
        key.copy_from_slice(context.sign().as_ref());
        TokenKey(key)
    }
}

#[cfg(test)]
mod tests {
    use super::{InvalidToken::*, TokenType::*, *};

    fn outcome(value: &[u8], kind: TokenType) -> &'static str {
        match Token::parse(value, kind) {
            Ok(_) => "sent",
            Err(Empty) => "empty",
            Err(Malformed(_)) => "malformed",
            Err(WrongType(_)) => "type",
        }
    }

    #[test]
    fn only_what_is_surely_a_token_of_its_kind_is_sent() {
        let long_ok = [b"pk_".to_vec(), vec![b'A'; 509]].concat();
        let too_long = [b"pk_".to_vec(), vec![b'A'; 510]].concat();
        for (value, kind, expected) in [
            (&b"pk_1234567_ABC"[..], Personal, "sent"),
            (b"  pk_1234567_ABC\r\n", Personal, "sent"),
            (&long_ok, Personal, "sent"),
            (&too_long, Personal, "malformed"),
            (b"", Personal, "empty"),
            (b" \n\t ", OAuth, "empty"),
            (b"\"pk_1\"", Personal, "malformed"),
            (b"'pk_1'", Personal, "malformed"),
            (b"\"pk_1", Personal, "malformed"),
            (b"Bearer pk_1", Personal, "malformed"),
            (b"bearer\tpk_1", Personal, "malformed"),
            (b"Bearer", OAuth, "malformed"),
            (b"Bearer abc", OAuth, "malformed"),
            (b"bearerish", OAuth, "sent"),
            (b"pk_1\npk_2", Personal, "malformed"),
            (b"pk_1\x07", Personal, "malformed"),
            ("pk_ü".as_bytes(), Personal, "malformed"),
            (b"\xff\xfe", OAuth, "malformed"),
            (b"hunter2", Personal, "type"),
            (b"PK_1", Personal, "type"),
            (b"pk_1", OAuth, "type"),
            (b"1234_abcdef", OAuth, "sent"),
        ] {
            assert_eq!(outcome(value, kind), expected, "{:?} as {kind}", String::from_utf8_lossy(value));
        }
    }

    #[test]
    fn nothing_prints_a_token() {
        let token = Token::parse(b"pk_1234567_SECRET", Personal).unwrap();
        let keys = TokenKeys::generate().unwrap();
        let shown = format!("{token:?} {:?} {:?}", keys.key(&token), token.authorization().unwrap());
        assert!(!shown.contains("SECRET"), "{shown}");
    }

    #[test]
    fn keys_are_equal_for_equal_tokens_of_one_process_only() {
        let (here, there) = (TokenKeys::generate().unwrap(), TokenKeys::generate().unwrap());
        let token = |v: &str, kind| Token::parse(v.as_bytes(), kind).unwrap();
        assert_eq!(here.key(&token("pk_1", Personal)), here.key(&token(" pk_1\n", Personal)));
        assert_ne!(here.key(&token("pk_1", Personal)), here.key(&token("pk_2", Personal)));
        assert_ne!(here.key(&token("pk_1", Personal)), there.key(&token("pk_1", Personal)));
        assert_eq!([token("pk_1", Personal), token("1_a", OAuth)].map(|t| t.kind()), [Personal, OAuth]);
    }

    #[test]
    fn keys_spread_over_time_and_make_jitter() {
        let mut bytes = [0; 32];
        assert_eq!((TokenKey(bytes).spread(), TokenKey(bytes).seed()), (0.0, 0));
        bytes[..9].copy_from_slice(&[192, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!((TokenKey(bytes).spread(), TokenKey(bytes).seed()), (0.75, 0x0102_0304_0506_0708));
    }
}
