//! The pages of the eight exit rules. What they do is in the position's exit rules; here is what may be written.

use serde::Serialize;

use super::entry::{
    ExitEntry, Family, Integers, ParameterEntry, Shape, Unit, candles, decimals, optional_decimals,
};

/// The eight exit rules. When several trigger at once the first in this order is the reason recorded (worst first).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitKind {
    /// A stop fixed at the entry.
    HardStop,
    /// A stop moved to the entry once the trade is in profit.
    BreakEven,
    /// A stop that follows the best price.
    TrailingStop,
    /// A stop a multiple of the ATR from the extreme of the last candles.
    Chandelier,
    /// A target, or several.
    TakeProfit,
    /// Movements have become too wide or too narrow.
    VolatilityExit,
    /// The trade has lasted long enough.
    TimeStop,
    /// The combined direction has turned.
    SignalFlip,
}

impl ExitKind {
    /// All eight, in their order.
    pub const ALL: [Self; 8] = [
        Self::HardStop,
        Self::BreakEven,
        Self::TrailingStop,
        Self::Chandelier,
        Self::TakeProfit,
        Self::VolatilityExit,
        Self::TimeStop,
        Self::SignalFlip,
    ];

    /// Its name in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HardStop => "hard_stop",
            Self::BreakEven => "break_even",
            Self::TrailingStop => "trailing_stop",
            Self::Chandelier => "chandelier",
            Self::TakeProfit => "take_profit",
            Self::VolatilityExit => "volatility_exit",
            Self::TimeStop => "time_stop",
            Self::SignalFlip => "signal_flip",
        }
    }

    /// From its name in documents.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Its page.
    pub fn entry(self) -> &'static ExitEntry {
        ENTRIES.iter().find(|entry| entry.kind == self).expect("every exit rule has a page, see the test")
    }
}

/// The largest number of steps in a take-profit ladder.
pub const MAX_LADDER_STEPS: u32 = 10;

const ATR_PERIOD: Integers = candles(14, 2, 200);

/// The pages, in the order of [`ExitKind`].
pub(crate) const ENTRIES: &[ExitEntry] = &[
    ExitEntry {
        kind: ExitKind::HardStop,
        family: Family::Exit,
        title: "Hard stop loss",
        help: "Closes the position at a price fixed at the entry; also placed at the exchange when it can be.",
        warmup: "0, atr_period + 1 with basis atr",
        parameters: &[
            ParameterEntry::choice(
                "basis",
                "Measured in",
                "Percent of the entry price, or multiples of the ATR at the entry.",
                &["percent", "atr"],
            ),
            ParameterEntry::number(
                "pct",
                "Distance",
                "Distance of the stop from the entry price.",
                decimals(Unit::Percent, ["2", "0.05", "50", "0.1"]),
            )
            .only_if("basis", "percent"),
            ParameterEntry::number(
                "atr_mult",
                "ATR multiple",
                "Distance of the stop from the entry price, in ATRs.",
                decimals(Unit::Multiple, ["2", "0.1", "20", "0.1"]),
            )
            .only_if("basis", "atr"),
            ParameterEntry::integer("atr_period", "ATR period", "Candles of the ATR.", ATR_PERIOD)
                .only_if("basis", "atr"),
        ],
    },
    ExitEntry {
        kind: ExitKind::BreakEven,
        family: Family::Exit,
        title: "Break-even stop",
        help: "Once the profit reaches the activation, the stop moves to the entry price plus an offset that covers the fees.",
        warmup: "0",
        parameters: &[
            ParameterEntry::number(
                "activation_pct",
                "Activation",
                "Profit at which the stop moves.",
                decimals(Unit::Percent, ["1", "0.05", "100", "0.1"]),
            ),
            ParameterEntry::number(
                "offset_pct",
                "Offset",
                "How far beyond the entry price, in the trade's favor, the stop is put; less than the activation.",
                decimals(Unit::Percent, ["0.05", "0", "50", "0.01"]),
            ),
        ],
    },
    ExitEntry {
        kind: ExitKind::TrailingStop,
        family: Family::Exit,
        title: "Trailing stop",
        help: "Once the profit reaches the activation, the stop follows the best price at a fixed distance and never loosens.",
        warmup: "0",
        parameters: &[
            ParameterEntry::number(
                "distance_pct",
                "Distance",
                "Distance of the stop from the best price since the entry.",
                decimals(Unit::Percent, ["1", "0.05", "50", "0.1"]),
            ),
            ParameterEntry::number(
                "activation_pct",
                "Activation",
                "Profit at which the stop begins to follow; 0 follows from the entry.",
                decimals(Unit::Percent, ["1.5", "0", "100", "0.1"]),
            ),
        ],
    },
    ExitEntry {
        kind: ExitKind::Chandelier,
        family: Family::Exit,
        title: "Chandelier exit",
        help: "Closes a long when the close falls below the highest high of the period minus a multiple of the ATR, a short \
               in mirror image; the level only ever tightens.",
        warmup: "period + 1",
        parameters: &[
            ParameterEntry::integer(
                "period",
                "Period",
                "Candles of the extreme and of the ATR.",
                candles(22, 2, 200),
            ),
            ParameterEntry::number(
                "atr_mult",
                "ATR multiple",
                "Distance from the extreme, in ATRs.",
                decimals(Unit::Multiple, ["3", "0.5", "20", "0.1"]),
            ),
        ],
    },
    ExitEntry {
        kind: ExitKind::TakeProfit,
        family: Family::Exit,
        title: "Take profit",
        help: "Closes the position, or shares of it, at a price in profit.",
        warmup: "0, atr_period + 1 with basis atr",
        parameters: &[
            ParameterEntry::choice(
                "basis",
                "Measured in",
                "Percent of the entry price, multiples of the risk (the distance of the hard stop), multiples of the ATR at \
                 the entry, or a ladder of several targets.",
                &["percent", "r_multiple", "atr", "ladder"],
            ),
            ParameterEntry::number(
                "pct",
                "Distance",
                "Distance of the target from the entry price.",
                decimals(Unit::Percent, ["4", "0.05", "1000", "0.1"]),
            )
            .only_if("basis", "percent"),
            ParameterEntry::number(
                "r_multiple",
                "Multiple of the risk",
                "Distance of the target in distances of the hard stop.",
                decimals(Unit::Multiple, ["2", "0.1", "50", "0.1"]),
            )
            .only_if("basis", "r_multiple"),
            ParameterEntry::number(
                "atr_mult",
                "ATR multiple",
                "Distance of the target from the entry price, in ATRs.",
                decimals(Unit::Multiple, ["3", "0.1", "50", "0.1"]),
            )
            .only_if("basis", "atr"),
            ParameterEntry::integer("atr_period", "ATR period", "Candles of the ATR.", ATR_PERIOD)
                .only_if("basis", "atr"),
            ParameterEntry {
                name: "ladder",
                title: "Ladder",
                help: "Targets in percent from the entry, nearest first, each closing a share of the original position.",
                shape: Shape::Ladder { max_steps: MAX_LADDER_STEPS },
                roles: &[],
                applies_if: None,
            }
            .only_if("basis", "ladder"),
        ],
    },
    ExitEntry {
        kind: ExitKind::VolatilityExit,
        family: Family::Exit,
        title: "Volatility exit",
        help: "Closes the position when movements have become much wider, or narrower, than at the entry.",
        warmup: "atr_period + 1",
        parameters: &[
            ParameterEntry::integer("atr_period", "ATR period", "Candles of the ATR.", ATR_PERIOD),
            ParameterEntry::number(
                "expansion_mult",
                "Factor",
                "expansion: the ATR reaches this multiple of its value at the entry, or one candle moves this many ATRs \
                 against the position; contraction: the ATR falls to its value at the entry divided by this.",
                decimals(Unit::Multiple, ["2.5", "1.1", "20", "0.1"]),
            ),
            ParameterEntry::choice(
                "mode",
                "Mode",
                "Which change of volatility ends the trade.",
                &["expansion", "contraction"],
            ),
        ],
    },
    ExitEntry {
        kind: ExitKind::TimeStop,
        family: Family::Exit,
        title: "Time stop",
        help: "Closes the position after a number of candles.",
        warmup: "0",
        parameters: &[
            ParameterEntry::integer(
                "max_candles",
                "Candles",
                "Closed candles since the entry after which the position is closed.",
                candles(48, 1, 10_000),
            ),
            ParameterEntry::number(
                "only_if_profit_below",
                "Only below this profit",
                "If set, a position with at least this profit is kept.",
                optional_decimals(Unit::Percent, ["-100", "1000", "0.1"]),
            ),
        ],
    },
    ExitEntry {
        kind: ExitKind::SignalFlip,
        family: Family::Exit,
        title: "Signal flip exit",
        help: "Closes the position when the combined direction of the signals turns against it; neutral does not count.",
        warmup: "that of the signals",
        parameters: &[],
    },
];
