//! What must hold for whatever a Secret, a server or a clock brings. Each property reads an input that a person can write and
//! a fuzzer can change, and panics where it does not hold. The targets in `fuzz/` feed them; the test of this crate runs the
//! corpora that are checked in there.

mod answer;
mod heap;
mod rate_limit;
mod response;
mod teams;
mod token;

pub use answer::answer;
pub use rate_limit::rate_limit;
pub use teams::teams;
pub use token::token;

/// A property, by the name of its fuzz target and its corpus.
pub type Property = (&'static str, fn(&[u8]));

/// All of them.
pub const ALL: [Property; 4] =
    [("answer", answer), ("rate_limit", rate_limit), ("teams", teams), ("token", token)];

/// The longest message of a condition, in bytes (the contract's rule 7).
const MAX_MESSAGE: usize = 512;

/// The first line, without its end, and the rest; without a line's end all is rest.
fn first_line(input: &[u8]) -> (&[u8], &[u8]) {
    match input.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (&[], input),
    }
}

/// The words of a line; what is no UTF-8 is none.
fn words(line: &[u8]) -> impl Iterator<Item = &str> {
    line.split(|byte| *byte == b' ')
        .filter_map(|word| std::str::from_utf8(word).ok())
        .filter(|w| !w.is_empty())
}

fn is_one_bounded_line(message: &str) -> bool {
    message.len() <= MAX_MESSAGE && !message.chars().any(char::is_control)
}

/// A name of ClickUp's as the contract allows it into a status.
fn is_shown_name(name: &str) -> bool {
    name.chars().count() <= 256 && !name.chars().any(char::is_control)
}

/// An id of the contract's schema.
fn is_digits(id: &str) -> bool {
    (1..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}
