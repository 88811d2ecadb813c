//! One row per peer: rates, their ratio to ours in the same round, and whether the trades are the same.

use std::fmt::Write as _;

use super::Ran;

/// How far a peer's trades have to be ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agreement {
    /// Every entry and exit in the same candle at the same price.
    Whole,
    /// All but so many in a thousand in the same candles; prices may be others.
    Candles {
        /// In a thousand trades.
        but: usize,
    },
}

/// One peer beside us.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) peer: String,
    version: String,
    candles: u32,
    /// Candles per CPU second, by round.
    ours: Vec<f64>,
    theirs: Vec<f64>,
    agreement: Agreement,
    trades: usize,
    /// Trades in the same candles, and trades that are the same.
    same: (usize, usize),
    /// The first trade that differs.
    difference: Option<String>,
}

impl Row {
    pub(super) fn new(peer: &str, version: &str, candles: u32, agreement: Agreement) -> Self {
        let (ours, theirs) = (Vec::new(), Vec::new());
        let (peer, version) = (peer.to_owned(), version.to_owned());
        Self { peer, version, candles, ours, theirs, agreement, trades: 0, same: (0, 0), difference: None }
    }

    /// A round.
    pub(super) fn take(&mut self, candles: u32, ours: &Ran, theirs: &Ran) {
        self.ours.push(f64::from(candles) / ours.seconds);
        self.theirs.push(f64::from(candles) / theirs.seconds);
        let longest = ours.trades.len().max(theirs.trades.len());
        let pairs = || ours.trades.iter().zip(&theirs.trades);
        let in_candles = pairs().filter(|(a, b)| (a[0], a[2]) == (b[0], b[2])).count();
        (self.trades, self.same) = (longest, (in_candles, pairs().filter(|(a, b)| a == b).count()));
        let differs = (0..longest).find(|place| ours.trades.get(*place) != theirs.trades.get(*place));
        let said = |place| {
            format!("trade {place}: ours {:?}, theirs {:?}", ours.trades.get(place), theirs.trades.get(place))
        };
        self.difference = self.difference.take().or(differs.map(said));
    }

    /// What is wrong, if anything is.
    pub(super) fn complaint(&self) -> Option<String> {
        let enough = match self.agreement {
            Agreement::Whole => self.difference.is_none(),
            Agreement::Candles { but } => (self.trades - self.same.0) * 1000 <= self.trades * but,
        };
        let difference = self.difference.as_ref().filter(|_| !enough)?;
        Some(format!("{}: other trades: {difference}", self.peer))
    }

    /// Ours over theirs, round by round.
    fn ratios(&self) -> Vec<f64> {
        self.ours.iter().zip(&self.theirs).map(|(ours, theirs)| ours / theirs).collect()
    }
}

/// The value in the middle; of an even number the lower one.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

fn spread(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)))
}

/// Candles per CPU second with three digits that mean something.
fn rate(values: &[f64]) -> String {
    let (low, high) = spread(values);
    let short = |value: f64| {
        if value >= 1e6 { format!("{:.2} M", value / 1e6) } else { format!("{:.1} k", value / 1e3) }
    };
    format!("{} ({} to {})", short(median(values)), short(low), short(high))
}

/// The rows for people and for Markdown alike.
pub(super) fn text(rows: &[Row]) -> String {
    let mut text = String::from(
        "| peer | version | candles | runs | ours, candles/CPU s: median (least to most) | theirs | ours over theirs | trades |\n\
         |---|---|--:|--:|--:|--:|--:|---|\n",
    );
    for row in rows {
        let (low, high) = spread(&row.ratios());
        let trades = if row.difference.is_none() {
            format!("the same {}", row.trades)
        } else {
            let (candles, whole) = row.same;
            format!("of {} in the same candles {candles}, at the same prices {whole}", row.trades)
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {:.2} ({low:.2} to {high:.2}) | {trades} |",
            row.peer,
            row.version,
            row.candles,
            row.ours.len(),
            rate(&row.ours),
            rate(&row.theirs),
            median(&row.ratios()),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(seconds: f64, trades: &[[i64; 4]]) -> Ran {
        Ran { version: "1".to_owned(), seconds, trades: trades.to_vec() }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let mut row = Row::new("peer", "1", 1000, Agreement::Whole);
        for (ours, theirs) in [(0.001, 0.002), (0.01, 0.01), (0.001, 0.003)] {
            row.take(1000, &ran(ours, &[[1, 2, 3, 4]]), &ran(theirs, &[[1, 2, 3, 4]]));
        }
        let text = text(&[row]);
        assert!(text.contains("| peer | 1 | 1000 | 3 | 1.00 M (100.0 k to 1.00 M) |"), "{text}");
        assert!(text.contains("| 2.00 (1.00 to 3.00) | the same 1 |"), "{text}");
    }

    #[test]
    fn another_trade_or_one_more_is_named() {
        let mut row = Row::new("peer", "1", 10, Agreement::Whole);
        row.take(10, &ran(1.0, &[[1, 2, 3, 4]]), &ran(1.0, &[[1, 2, 3, 4]]));
        assert_eq!(row.complaint(), None);
        row.take(10, &ran(1.0, &[[1, 2, 3, 4]]), &ran(1.0, &[[1, 2, 3, 4], [5, 6, 7, 8]]));
        assert!(row.complaint().unwrap().contains("trade 1: ours None, theirs Some"));
        assert!(text(&[row]).contains("| of 2 in the same candles 1, at the same prices 1 |"));
    }

    #[test]
    fn other_prices_are_forgiven_where_a_peer_is_known_for_them_and_other_candles_are_not() {
        let ours = ran(1.0, &[[1, 2, 3, 4]]);
        let mut row = Row::new("peer", "1", 10, Agreement::Candles { but: 1 });
        row.take(10, &ours, &ran(1.0, &[[1, 2, 3, 5]]));
        assert_eq!(row.complaint(), None);
        row.take(10, &ours, &ran(1.0, &[[1, 2, 4, 5]]));
        assert!(row.complaint().is_some());
    }
}
