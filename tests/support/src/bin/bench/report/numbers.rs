//! Numbers of many, and numbers as text.

/// The middle one, or the mean of the two that are.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle.saturating_sub(1)), values.get(middle)) {
        (Some(low), Some(high)) if values.len().is_multiple_of(2) => f64::midpoint(*low, *high),
        (_, Some(value)) => *value,
        _ => 0.0,
    }
}

/// The least of these ascending values that so many percent do not exceed.
pub(crate) fn percentile(ascending: &[f64], percent: f64) -> f64 {
    let rank = (percent / 100.0 * ascending.len() as f64).ceil() as usize;
    ascending.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// So many digits behind the point; without any, a comma after each three digits before it.
pub(super) fn number(value: f64, digits: usize) -> String {
    if digits > 0 { format!("{value:.digits$}") } else { thousands(value.round() as u64) }
}

/// With a comma after each three digits.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([number(1234.5, 0), number(0.126, 2)], ["1,235", "0.13"]);
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0].into_iter()), 2.5);
        assert_eq!(median(std::iter::empty()), 0.0);
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!([50.0, 99.0, 100.0].map(|p| percentile(&hundred, p)), [50.0, 99.0, 100.0]);
        assert_eq!(percentile(&[7.0, 8.0, 9.0], 50.0), 8.0);
        assert_eq!(percentile(&[], 99.0), 0.0);
    }
}
