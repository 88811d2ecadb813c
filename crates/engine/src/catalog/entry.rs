//! The shape of a catalog entry: what a form must know to let somebody fill in a component or an exit rule.
//!
//! Entries are constants beside the code they describe; the lists of them are in [`crate::catalog`].

use keyhold_domain::{Decimal, Timeframe};
use serde::Serialize;

use crate::template::{Number, Role};

/// What a component works on besides its own history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a set with a name for each member; also the catalog's JSON"
)]
pub struct DataNeeds {
    /// The funding rate in force.
    pub funding: bool,
    /// When funding is paid next.
    pub next_funding: bool,
    /// Best bid and best ask.
    pub quote: bool,
    /// Quantities in the order book.
    pub book: bool,
    /// Volumes that takers bought and sold.
    pub trades: bool,
    /// Open contracts.
    pub open_interest: bool,
    /// Mark price and index price.
    pub premium: bool,
}

impl DataNeeds {
    /// Closed candles only.
    pub const CANDLES: Self = Self {
        funding: false,
        next_funding: false,
        quote: false,
        book: false,
        trades: false,
        open_interest: false,
        premium: false,
    };
    /// Candles and the funding rate.
    pub const FUNDING: Self = Self { funding: true, ..Self::CANDLES };
    /// Candles, the funding rate and the time of the next payment.
    pub const FUNDING_TIME: Self = Self { funding: true, next_funding: true, ..Self::CANDLES };
    /// Candles and the best prices.
    pub const QUOTE: Self = Self { quote: true, ..Self::CANDLES };
    /// Candles and the order book.
    pub const BOOK: Self = Self { book: true, ..Self::CANDLES };
    /// Candles and the trades of takers.
    pub const TRADES: Self = Self { trades: true, ..Self::CANDLES };
    /// Candles and open interest.
    pub const OPEN_INTEREST: Self = Self { open_interest: true, ..Self::CANDLES };
    /// Candles, mark price and index price.
    pub const PREMIUM: Self = Self { premium: true, ..Self::CANDLES };

    /// What either needs.
    pub const fn or(self, other: Self) -> Self {
        Self {
            funding: self.funding || other.funding,
            next_funding: self.next_funding || other.next_funding,
            quote: self.quote || other.quote,
            book: self.book || other.book,
            trades: self.trades || other.trades,
            open_interest: self.open_interest || other.open_interest,
            premium: self.premium || other.premium,
        }
    }

    /// Whether it is anything more than candles.
    pub fn is_any(self) -> bool {
        self != Self::CANDLES
    }
}

/// The shelf of the catalog on which a component lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Follows the direction of prices.
    Trend,
    /// Measures the speed of prices.
    Momentum,
    /// Measures the width of movements, or their return to the mean.
    Volatility,
    /// Works on traded volume.
    Volume,
    /// Reads levels and shapes in the candles themselves.
    Structure,
    /// Works on data of the derivative itself, for example funding.
    Derivatives,
    /// Judges one entry.
    EntryGuard,
    /// Closes positions.
    Exit,
}

/// The unit of a parameter or of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Closed candles of the template's timeframe.
    Candles,
    /// Percent: 2 means 0.02.
    Percent,
    /// Hundredths of a percent.
    BasisPoints,
    /// Minutes.
    Minutes,
    /// Hours.
    Hours,
    /// A multiple of something the help text names.
    Multiple,
    /// Points of an oscillator, usually 0 to 100.
    Points,
    /// Quote currency per unit of base.
    Price,
    /// Standard deviations.
    Deviations,
    /// No unit.
    None,
}

/// Everything a form must know about one parameter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ParameterEntry {
    /// Its key in the document.
    pub name: &'static str,
    /// Its label.
    pub title: &'static str,
    /// One sentence on what it does.
    pub help: &'static str,
    /// What may be written.
    #[serde(flatten)]
    pub shape: Shape,
    /// The roles in which it has an effect; empty means in all. In other roles it is checked and ignored.
    pub roles: &'static [Role],
    /// It applies only while another parameter has this choice.
    pub applies_if: Option<AppliesIf>,
}

impl ParameterEntry {
    /// A whole number.
    pub const fn integer(
        name: &'static str,
        title: &'static str,
        help: &'static str,
        range: Integers,
    ) -> Self {
        Self { name, title, help, shape: Shape::Integer(range), roles: &[], applies_if: None }
    }

    /// A decimal number.
    pub const fn number(name: &'static str, title: &'static str, help: &'static str, range: Numbers) -> Self {
        Self { name, title, help, shape: Shape::Number(range), roles: &[], applies_if: None }
    }

    /// One of several words; the first is the default.
    pub const fn choice(
        name: &'static str,
        title: &'static str,
        help: &'static str,
        choices: &'static [&'static str],
    ) -> Self {
        let shape = Shape::Choice { choices, default: choices[0] };
        Self { name, title, help, shape, roles: &[], applies_if: None }
    }

    /// One of the lengths of candles. Whether it fits the template's own is for the component to check.
    pub const fn timeframe(
        name: &'static str,
        title: &'static str,
        help: &'static str,
        default: Timeframe,
    ) -> Self {
        let shape = Shape::Choice { choices: &TIMEFRAMES, default: default.as_str() };
        Self { name, title, help, shape, roles: &[], applies_if: None }
    }

    /// The same parameter, used only in these roles.
    pub const fn only_in(mut self, roles: &'static [Role]) -> Self {
        self.roles = roles;
        self
    }

    /// The same parameter, used only while `parameter` has the choice `choice`.
    pub const fn only_if(mut self, parameter: &'static str, choice: &'static str) -> Self {
        self.applies_if = Some(AppliesIf { parameter, choice });
        self
    }
}

/// The short names of all timeframes, shortest first.
const TIMEFRAMES: [&str; Timeframe::ALL.len()] = {
    let mut names = [""; Timeframe::ALL.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = Timeframe::ALL[index].as_str();
        index += 1;
    }
    names
};

/// The condition under which a parameter has an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AppliesIf {
    /// The deciding parameter.
    pub parameter: &'static str,
    /// The choice it must have.
    pub choice: &'static str,
}

/// What may be written for a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Shape {
    /// A whole number.
    Integer(Integers),
    /// A decimal number, written as text so that no digit is lost.
    Number(Numbers),
    /// One word.
    Choice {
        /// The words allowed.
        choices: &'static [&'static str],
        /// The word used when none is written.
        default: &'static str,
    },
    /// Several words.
    Choices {
        /// The words allowed.
        choices: &'static [&'static str],
        /// The words used when none are written.
        default: &'static [&'static str],
    },
    /// Steps of {pct, share}; none is the default.
    Ladder {
        /// The largest number of steps.
        max_steps: u32,
    },
}

/// The range of a whole number, both ends allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Integers {
    /// The unit.
    pub unit: Unit,
    /// The value used when none is written.
    pub default: u32,
    /// The smallest value.
    pub min: u32,
    /// The largest value.
    pub max: u32,
    /// By how much a form's arrows move it; other values are allowed.
    pub step: u32,
}

/// The range of a decimal number, both ends allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Numbers {
    /// The unit.
    pub unit: Unit,
    /// The value used when none is written; `None` makes the parameter optional.
    pub default: Option<Number>,
    /// The smallest value.
    pub min: Number,
    /// The largest value.
    pub max: Number,
    /// By how much a form's arrows move it; other values are allowed.
    pub step: Number,
}

/// A number of candles.
pub const fn candles(default: u32, min: u32, max: u32) -> Integers {
    Integers { unit: Unit::Candles, default, min, max, step: 1 }
}

/// A decimal range in the order default, smallest, largest, step.
pub const fn decimals(unit: Unit, texts: [&'static str; 4]) -> Numbers {
    Numbers {
        unit,
        default: Some(number(texts[0])),
        min: number(texts[1]),
        max: number(texts[2]),
        step: number(texts[3]),
    }
}

/// An optional decimal in the order smallest, largest, step.
pub const fn optional_decimals(unit: Unit, texts: [&'static str; 3]) -> Numbers {
    Numbers { unit, default: None, min: number(texts[0]), max: number(texts[1]), step: number(texts[2]) }
}

/// A decimal constant from its text, read while compiling; a wrong text does not compile when used in a constant.
pub const fn number(text: &str) -> Number {
    let bytes = text.as_bytes();
    let negative = !bytes.is_empty() && bytes[0] == b'-';
    let mut index = if negative { 1 } else { 0 };
    assert!(index < bytes.len(), "a decimal constant has no digits");
    let mut mantissa: u32 = 0;
    let mut scale = 0;
    let mut after_point = false;
    while index < bytes.len() {
        if bytes[index] == b'.' {
            assert!(!after_point, "a decimal constant has two points");
            after_point = true;
        } else {
            assert!(bytes[index].is_ascii_digit(), "a decimal constant has a character that is no digit");
            mantissa = mantissa * 10 + (bytes[index] - b'0') as u32;
            if after_point {
                scale += 1;
            }
        }
        index += 1;
    }
    Number(Decimal::from_parts(mantissa, 0, 0, negative, scale))
}

/// The catalog's page on one component.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ComponentEntry {
    /// Its name in documents.
    pub kind: &'static str,
    /// Where it lies in the catalog.
    pub family: Family,
    /// Its label.
    pub title: &'static str,
    /// One sentence on what it looks at.
    pub help: &'static str,
    /// What it does in each role it can play.
    pub roles: &'static [RoleEntry],
    /// What it works on.
    pub needs: DataNeeds,
    /// How many closed candles it must have seen before it answers, as a formula over its parameters.
    pub warmup: &'static str,
    /// The unit of a reading's value and limit.
    pub unit: Unit,
    /// Its parameters in the order shown.
    pub parameters: &'static [ParameterEntry],
}

/// What a component does in one role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RoleEntry {
    /// The role.
    pub role: Role,
    /// One sentence on its effect.
    pub help: &'static str,
}

/// The catalog's page on one exit rule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ExitEntry {
    /// Which of the eight it is; its text is the name in documents.
    pub kind: super::ExitKind,
    /// Always [`Family::Exit`].
    pub family: Family,
    /// Its label.
    pub title: &'static str,
    /// One sentence on when it closes a position.
    pub help: &'static str,
    /// How many closed candles it needs, as a formula over its parameters; `0` works from the first.
    pub warmup: &'static str,
    /// Its parameters in the order shown.
    pub parameters: &'static [ParameterEntry],
}
