//! What was measured: a median with the smallest and the largest, the aim, and whether it was met.

use serde::Serialize;

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    /// Which part of the bench it belongs to.
    pub(crate) part: &'static str,
    /// What was measured.
    pub(crate) what: String,
    /// In what.
    pub(crate) unit: &'static str,
    /// The values.
    pub(crate) spread: Spread,
    /// The same seen otherwise, where there is a noise to see through.
    pub(crate) beside: Option<Beside>,
    /// The most that the median may be; `None`: there is no aim.
    pub(crate) at_most: Option<f64>,
    /// Whether it is more.
    pub(crate) missed: bool,
}

/// A ratio of CPU times seen otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Beside {
    /// The same ratio of wall times.
    pub(crate) wall: Spread,
    /// The fastest watched run over the fastest plain one: what disturbs a run only makes it slower,
    /// so this is steadier than the median where the machine is not quiet.
    pub(crate) best: f64,
}

/// Values, summed up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// How many there were.
    pub(crate) values: usize,
}

impl Figure {
    /// One without an aim.
    pub(crate) fn new(part: &'static str, what: impl Into<String>, unit: &'static str, of: Spread) -> Self {
        Self { part, what: what.into(), unit, spread: of, beside: None, at_most: None, missed: false }
    }

    /// The same with an aim.
    pub(crate) fn at_most(self, aim: f64) -> Self {
        Self { missed: self.spread.median > aim, at_most: Some(aim), ..self }
    }

    /// The same with another look beside it.
    pub(crate) fn beside(self, beside: Beside) -> Self {
        Self { beside: Some(beside), ..self }
    }
}

impl Spread {
    /// Of some values; `None`: there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, min, max, values: values.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_value_or_the_mean_of_the_two() {
        let odd = Spread::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!((odd.median, odd.min, odd.max, odd.values), (2.0, 1.0, 3.0, 3));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn an_aim_is_missed_by_the_median_alone() {
        let of = |values: [f64; 3]| Figure::new("p", "w", "x", Spread::of(values).unwrap()).at_most(1.03);
        assert!(!of([1.0, 1.03, 9.0]).missed);
        assert!(of([1.0, 1.04, 1.05]).missed);
    }
}
