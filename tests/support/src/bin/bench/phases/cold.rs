//! Cold starts of both sides.
//!
//! Each side begins with the same number of connections that have no status: between two sides all connections are
//! removed and made anew with the same names; the Secrets stay. An API server is slow at first and grows later, so
//! the rounds alternate: bare loop, operator; operator, bare loop; and so on.

use super::Bench;
use crate::operator::Operator;
use crate::report::{Cold, Round};
use crate::{Failure, progress};

/// The shorter a round, the more of them there are.
pub(super) fn rounds(size: u32) -> u32 {
    (2000 / size).clamp(1, 4)
}

impl Bench {
    /// The operator of the last round runs on, with all Ready.
    pub(crate) async fn cold(&self) -> Result<(Cold, Operator), Failure> {
        let size = u32::try_from(self.size())?;
        let count = rounds(size);
        let mut rounds = Vec::new();
        loop {
            let number = rounds.len() as u32 + 1;
            progress(format_args!("{size} connections, cold: round {number} of {count}"));
            let last = number == count;
            // Of the last round the operator is needed afterwards: it comes second.
            let bare_first = (count - number).is_multiple_of(2);
            if bare_first {
                let bare = self.bare().await?;
                let (operator, running) = self.operator().await?;
                rounds.push(Round { bare_first, bare, operator });
                if last {
                    return Ok((Cold { size, rounds }, running));
                }
                running.stop().await?;
            } else {
                let (operator, running) = self.operator().await?;
                running.stop().await?;
                let bare = self.bare().await?;
                rounds.push(Round { bare_first, bare, operator });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn small_sizes_have_more_rounds() {
        assert_eq!([1, 100, 500, 1000, 2000, 10_000].map(super::rounds), [4, 4, 4, 2, 1, 1]);
    }
}
