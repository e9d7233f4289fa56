//! What arrives in the Authorization header, and the values of tokens that nobody chose.

use hyper::header::{AUTHORIZATION, HeaderMap};
use serde::{Deserialize, Serialize};

use crate::state::Kind;

/// The form in which a request carried its Authorization header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sent {
    /// No header, or nothing in it.
    None,
    /// The value alone.
    Raw,
    /// After `Bearer `.
    Bearer,
}

/// A token as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) sent: Sent,
    pub(crate) value: String,
}

impl Credentials {
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let bytes = headers.get(AUTHORIZATION).map_or(&[][..], |value| value.as_bytes());
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim();
        match text.split_once(' ') {
            _ if text.is_empty() => Self { sent: Sent::None, value: String::new() },
            Some((scheme, value)) if scheme.eq_ignore_ascii_case("bearer") => {
                Self { sent: Sent::Bearer, value: value.trim().to_owned() }
            }
            _ => Self { sent: Sent::Raw, value: text.to_owned() },
        }
    }

    /// Whether a live token of this kind is accepted when it is sent so.
    pub(crate) fn suits(&self, kind: Kind) -> bool {
        matches!((self.sent, kind), (Sent::Raw, Kind::Personal) | (Sent::Bearer, Kind::Oauth))
    }
}

/// The value of a token without one: the same in every run, another for each of its generations.
pub(crate) fn value_of(kind: Kind, user: u64, name: &str, generation: u64) -> String {
    const PERSONAL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    const OAUTH: &[u8] = b"0123456789abcdef";
    let (alphabet, length) = match kind {
        Kind::Personal => (PERSONAL, 32),
        Kind::Oauth => (OAUTH, 64),
    };
    let mut seed = name.bytes().fold(user ^ (generation << 48), |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(23)
    });
    let secret: String = (0..length).filter_map(|_| pick(alphabet, &mut seed)).collect();
    match kind {
        Kind::Personal => format!("pk_{user}_{secret}"),
        Kind::Oauth => format!("{user}_{secret}"),
    }
}

/// One character, by the generator "splitmix64": nothing here is secret, it only has to look so.
fn pick(alphabet: &[u8], seed: &mut u64) -> Option<char> {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let index = (mixed ^ (mixed >> 31)) % alphabet.len() as u64;
    alphabet.get(usize::try_from(index).ok()?).map(|byte| char::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn reads_the_header() {
        let cases = [
            ("", Sent::None, ""),
            ("  ", Sent::None, ""),
            ("pk_1_A", Sent::Raw, "pk_1_A"),
            ("Bearer pk_1_A", Sent::Bearer, "pk_1_A"),
            ("bearer  abc ", Sent::Bearer, "abc"),
            ("Bearer", Sent::Raw, "Bearer"),
            ("Basic abc", Sent::Raw, "Basic abc"),
        ];
        for (header, sent, value) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(header));
            let expected = Credentials { sent, value: value.to_owned() };
            assert_eq!(Credentials::from_headers(&headers), expected, "{header:?}");
        }
        assert_eq!(Credentials::from_headers(&HeaderMap::new()).sent, Sent::None);
    }

    #[test]
    fn makes_values_of_the_right_shape_and_all_different() {
        let mut seen = HashSet::new();
        for index in 0..10_000 {
            let value = value_of(Kind::Personal, 57_000_000 + index, &format!("generated-{index}"), 0);
            let secret = value.rsplit('_').next().unwrap();
            assert_eq!(secret.len(), 32);
            assert!(secret.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
            assert!(seen.insert(value));
        }
        assert_ne!(value_of(Kind::Personal, 1, "a", 0), value_of(Kind::Personal, 1, "a", 1));
        assert_eq!(value_of(Kind::Oauth, 1, "a", 0), value_of(Kind::Oauth, 1, "a", 0));
        assert!(!value_of(Kind::Oauth, 1, "a", 0).starts_with("pk_"));
    }
}
