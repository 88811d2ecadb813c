//! Numbers kept in order while they come and go, and the rank of the newest among the last `n`.
//!
//! A sorted row: one binary search per number that comes or goes, and one move of what lies between, in one block of
//! memory of fixed size. Nothing is sorted per candle. The row of a window is not part of a snapshot, it follows from
//! the window.

use serde::{Deserialize, Serialize};

use super::Window;

/// Numbers in rising order; equal ones may be there more than once. Zeros are positive zeros.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SortedRow(Vec<f64>);

impl SortedRow {
    /// An empty row with room for so many numbers.
    pub fn with_room(count: u32) -> Self {
        Self(Vec::with_capacity(usize::try_from(count).unwrap_or(0)))
    }

    /// The numbers, lowest first.
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// How many are below `value`.
    pub fn below(&self, value: f64) -> usize {
        self.0.partition_point(|held| *held < value)
    }

    /// How many are at or below `value`.
    pub fn up_to(&self, value: f64) -> usize {
        self.0.partition_point(|held| *held <= value)
    }

    /// Takes in a number.
    pub fn insert(&mut self, value: f64) {
        let place = self.up_to(value);
        // Adding zero makes a negative zero positive, so that equal numbers are the same bits.
        self.0.insert(place, value + 0.0);
    }

    /// Lets go of one number equal to `value`, if there is one.
    pub fn remove(&mut self, value: f64) {
        let place = self.below(value);
        if self.0.get(place).is_some_and(|held| *held <= value) {
            self.0.remove(place);
        }
    }

    /// Lets `old` go and takes `new` in: only what lies between the two moves.
    pub fn replace(&mut self, old: f64, new: f64) {
        let from = self.below(old);
        if self.0.get(from).is_none_or(|held| *held > old) {
            self.insert(new);
            return;
        }
        let to = self.below(new);
        let place = if to > from {
            self.0.copy_within(from + 1..to, from);
            to - 1
        } else {
            self.0.copy_within(to..from, to + 1);
            to
        };
        self.0[place] = new + 0.0;
    }
}

/// The last `n` numbers in order of time and in order of size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Window", into = "Window")]
pub struct Ranking {
    window: Window,
    row: SortedRow,
}

impl From<Window> for Ranking {
    fn from(window: Window) -> Self {
        let mut values = Vec::with_capacity(window.period());
        values.extend(window.values().iter().map(|value| value + 0.0));
        values.sort_unstable_by(f64::total_cmp);
        Self { window, row: SortedRow(values) }
    }
}

impl From<Ranking> for Window {
    fn from(ranking: Ranking) -> Self {
        ranking.window
    }
}

impl Ranking {
    /// Over `period` numbers; at least 2.
    pub fn new(period: u32) -> Self {
        Self::from(Window::new(period.max(2)))
    }

    /// Takes in a finite number and gives its percentile among the last `period`, itself included: the share of the
    /// others that are lower, equal ones counted half, 0 (lowest of all) to 100 (highest of all), 50 when all are equal.
    /// `None` for the first `period - 1`.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        match self.window.push(value) {
            Some(evicted) => self.row.replace(evicted, value),
            None => self.row.insert(value),
        }
        if !self.window.is_full() {
            return None;
        }
        let below = self.row.below(value);
        // Runs of equal numbers are short; a market that stands still is one long run.
        let equal = self.row.values()[below..].partition_point(|held| *held <= value);
        let others = whole(self.row.values().len() - 1);
        Some(100.0 * (whole(below) + 0.5 * whole(equal - 1)) / others)
    }
}

fn whole(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_stays_in_order_whatever_comes_and_goes() {
        let mut row = SortedRow::with_room(8);
        for value in [5.0, 1.0, 3.0, 3.0, -0.0] {
            row.insert(value);
        }
        assert_eq!(row.values(), [0.0, 1.0, 3.0, 3.0, 5.0]);
        for (old, new, expected) in [
            (3.0, 3.0, [0.0, 1.0, 3.0, 3.0, 5.0]),
            (0.0, 9.0, [1.0, 3.0, 3.0, 5.0, 9.0]),
            (9.0, 0.5, [0.5, 1.0, 3.0, 3.0, 5.0]),
            (1.0, 4.0, [0.5, 3.0, 3.0, 4.0, 5.0]),
            (5.0, 3.0, [0.5, 3.0, 3.0, 3.0, 4.0]),
        ] {
            row.replace(old, new);
            assert_eq!(row.values(), expected, "{old} by {new}");
        }
        row.remove(3.0);
        row.remove(77.0);
        assert_eq!(row.values(), [0.5, 3.0, 3.0, 4.0]);
        assert_eq!((row.below(3.0), row.up_to(3.0)), (1, 3));
    }
}
