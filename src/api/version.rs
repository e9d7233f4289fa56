//! Resource versions.

use std::cmp::Ordering;

/// How two resource versions of one object compare: they are numbers that grow, as Kubernetes promises since 1.35. `None`
/// where one of them is none.
pub fn compare_versions(one: &str, other: &str) -> Option<Ordering> {
    let number = |text: &str| text.parse::<u128>().ok();
    Some(number(one)?.cmp(&number(other)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_and_not_texts() {
        assert_eq!(compare_versions("99", "100"), Some(Ordering::Less));
        assert_eq!(compare_versions("7", "7"), Some(Ordering::Equal));
        assert_eq!(compare_versions("7", ""), None);
    }
}
