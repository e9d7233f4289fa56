//! Whether something grows.

/// A straight line through points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Line {
    /// Of y per unit of x.
    pub(crate) slope: f64,
    /// Standard error of the slope, if the points scatter about the line independently.
    pub(crate) error: f64,
}

/// The line of least squares; none through fewer than three points, or points above each other.
pub(crate) fn line(points: &[(f64, f64)]) -> Option<Line> {
    let count = points.len() as f64;
    if points.len() < 3 {
        return None;
    }
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if spread <= 0.0 {
        return None;
    }
    let slope = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>() / spread;
    let missed: f64 = points.iter().map(|point| (point.1 - y - slope * (point.0 - x)).powi(2)).sum();
    Some(Line { slope, error: (missed / (count - 2.0) / spread).sqrt() })
}

/// Whether the values grow from each quarter to the next, and by more than `slack` in all.
pub(crate) fn grows(values: &[u64], slack: u64) -> bool {
    let quarter = values.len().div_ceil(4).max(1);
    let medians: Vec<u64> = values.chunks(quarter).map(median).collect();
    let steady = medians.len() == 4 && medians.is_sorted_by(|one, next| one < next);
    steady && medians.last().zip(medians.first()).is_some_and(|(last, first)| last - first > slack)
}

/// The value in the middle; 0 of none.
pub(crate) fn median(values: &[u64]) -> u64 {
    let mut values = values.to_vec();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_through_its_points() {
        let straight: Vec<_> = (0..10).map(|x| (f64::from(x), 3.0 * f64::from(x) + 7.0)).collect();
        assert_eq!(line(&straight), Some(Line { slope: 3.0, error: 0.0 }));
        assert_eq!(line(&straight[..2]), None);
        assert_eq!(line(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]), None);
    }

    #[test]
    fn scatter_shows_in_the_error() {
        // Worked out by hand: residuals -0.1, 0.3, -0.3, 0.1; x spreads by 5.
        let found = line(&[(0.0, 0.0), (1.0, 1.0), (2.0, 1.0), (3.0, 2.0)]).unwrap();
        assert!((found.slope - 0.6).abs() < 1e-9, "{found:?}");
        assert!((found.error - (0.2_f64 / 2.0 / 5.0).sqrt()).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn only_what_grows_all_the_time_grows() {
        let steps = |each: [u64; 4]| each.map(|value| [value; 10]).concat();
        for (values, expected) in [
            (steps([20, 25, 30, 35]), true),
            (steps([20, 21, 22, 23]), false),
            (steps([20, 40, 40, 41]), false),
            (steps([40, 30, 20, 10]), false),
            (steps([20, 45, 30, 60]), false),
            (vec![], false),
            (vec![1, 100], false),
        ] {
            assert_eq!(grows(&values, 8), expected, "{values:?}");
        }
    }
}
