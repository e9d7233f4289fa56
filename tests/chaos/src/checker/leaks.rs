//! Whether a token, or anything else that a Secret held, is seen where it must not be.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::PathBuf,
};

use aho_corasick::{AhoCorasick, BuildError};

/// So many characters of a secret are a leak too.
const PART: usize = 12;

/// Looks for secrets in texts.
#[derive(Clone, Debug)]
pub struct Leaks(AhoCorasick);

impl Leaks {
    /// For these secrets, their beginnings and ends.
    ///
    /// # Errors
    /// There are too many.
    pub fn of(secrets: &[String]) -> Result<Self, BuildError> {
        let parts = |secret: &'_ String| match (secret.get(..PART), secret.len().checked_sub(PART)) {
            (Some(head), Some(from)) if secret.len() >= 2 * PART => {
                [head.to_owned(), secret.get(from..).unwrap_or(head).to_owned()]
            }
            _ => [secret.clone(), secret.clone()],
        };
        AhoCorasick::new(secrets.iter().flat_map(parts)).map(Self)
    }

    /// The place of a secret in a text, some characters before it included, and none of it.
    pub fn find(&self, text: &str) -> Option<String> {
        let found = self.0.find(text)?;
        let before: String = text[..found.start()].chars().rev().take(80).collect();
        Some(before.chars().rev().collect())
    }
}

/// A log that is read as it grows.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    at: u64,
}

impl Tail {
    /// Of a file that may not be there yet.
    pub fn of(path: PathBuf) -> Self {
        Self { path, at: 0 }
    }

    /// The complete lines since the last call.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn more(&mut self) -> io::Result<String> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.at))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let complete = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.at += complete as u64;
        Ok(String::from_utf8_lossy(&bytes[..complete]).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_secrets_are_found_and_not_repeated() {
        let secrets = ["ABCDEFGHIJKLMNOPQRSTUVWXYZ012345".to_owned(), "HIDDENMARKER".to_owned()];
        let leaks = Leaks::of(&secrets).unwrap();
        assert_eq!(leaks.find("the token of user 12345 is fine"), None);
        for text in ["sent pk_12_ABCDEFGHIJKL", "sent ...UVWXYZ012345", "value HIDDENMARKER"] {
            let place = leaks.find(text).unwrap();
            assert!(text.starts_with(&place) && place.len() < text.len(), "{place}");
        }
    }
}
