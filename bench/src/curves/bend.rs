//! Where a curve bends, in words made of its figures. Pure.

/// A step that changes the cost by less than this part is flat.
const FLAT: f64 = 0.1;

/// One sentence about costs at labelled points.
pub(crate) fn sentence(points: &[(&str, f64)], is_ordered: bool) -> String {
    let by_cost = |one: &&(&str, f64), other: &&(&str, f64)| one.1.total_cmp(&other.1);
    let (Some(least), Some(most)) = (points.iter().min_by(by_cost), points.iter().max_by(by_cost))
    else {
        return String::new();
    };
    let extremes = format!(
        "`{}` costs least and `{}` most, {:.1} times as much",
        least.0,
        most.0,
        most.1 / least.1
    );
    let flat = if is_ordered { flat_from(points) } else { None };
    match flat {
        None if is_ordered => format!("{extremes}; it bends nowhere, each end still changes."),
        None => format!("{extremes}."),
        Some(0) => format!("{extremes}; no step changes it by a tenth."),
        Some(from) => {
            format!("{extremes}; from `{}` on no step changes it by a tenth.", points[from].0)
        }
    }
}

/// The first point after which all steps are small, unless it is the last.
fn flat_from(points: &[(&str, f64)]) -> Option<usize> {
    let is_steep = |pair: &[(&str, f64)]| (pair[1].1 / pair[0].1 - 1.0).abs() >= FLAT;
    let from = points.windows(2).rposition(is_steep).map_or(0, |last| last + 1);
    (from + 1 < points.len()).then_some(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_that_becomes_flat_bends_there() {
        let points = [("1", 9.0), ("10", 2.0), ("100", 1.0), ("1000", 0.95)];
        let expected = "`1000` costs least and `1` most, 9.5 times as much; from `100` on no step changes it by a \
                        tenth.";
        assert_eq!(sentence(&points, true), expected);
    }

    #[test]
    fn a_curve_without_a_bend_says_so() {
        let sloped = sentence(&[("1", 1.0), ("2", 2.0)], true);
        assert!(sloped.ends_with("it bends nowhere, each end still changes."), "{sloped}");
        let flat = sentence(&[("1", 1.0), ("2", 1.01)], true);
        assert!(flat.ends_with("no step changes it by a tenth."), "{flat}");
        assert_eq!(sentence(&[], true), "");
    }
}
