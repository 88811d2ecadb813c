//! The components a template may use: each turns closed candles into one [`Reading`] per candle.
//!
//! The set is closed: an enum, so that the plan is plain data that can be copied, compared and saved in a
//! snapshot, and so that a new component is not forgotten anywhere. A component never sees a candle that has not closed, a
//! position, an order or a clock. To add one: write its file with its catalog entry, its indicators in
//! [`crate::indicator`], name it in the list below, and add its scenario to `tests/it/components.rs`.

mod adx_dmi;
mod aroon;
mod atr;
mod atr_breakout;
mod average;
mod awesome;
mod bands;
mod basis_premium;
mod bollinger;
mod book_imbalance;
mod bounds;
mod candle_extension;
mod candle_pattern;
mod cci;
mod choppiness;
mod cmf;
mod cooldown;
mod crossing;
mod cvd;
mod donchian_breakout;
mod funding_rate;
mod funding_window;
mod heikin_ashi;
mod hist_vol;
mod hull_slope;
mod ichimoku;
mod keltner;
mod linreg_slope;
mod ma_cross;
mod ma_distance;
mod ma_slope;
mod macd;
mod max_spread;
mod mfi;
mod min_depth;
mod min_move;
mod mtf_trend;
mod obv_trend;
mod open_interest;
mod opening_range;
mod parabolic_sar;
mod parameters;
mod pivot_levels;
mod price_vs_ma;
mod reward_risk;
mod roc;
mod rsi;
mod rsi_divergence;
mod squeeze;
mod stoch_rsi;
mod stochastic;
mod supertrend;
mod swing_structure;
mod tsi;
mod volatility_regime;
mod volume_spike;
mod vortex;
mod vwap;
mod way;
mod williams_r;
mod zone;
mod zscore;

use keyhold_domain::{Decimal, Timeframe};
use serde::{Deserialize, Serialize};

pub use self::parameters::Parameters;
use crate::catalog::{ComponentEntry, DataNeeds};
use crate::exit_rule::{ExitDistances, ExitPlan};
use crate::input::Inputs;
use crate::market::BookAsk;
use crate::problem::{Problem, code};
use crate::reading::{Check, Direction, Reading};
use crate::template::{ComponentSpec, Role, Template};

/// What surrounds a component in its template.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Context {
    /// The length of the candles it is fed.
    pub timeframe: Timeframe,
    /// How far away the template's exits lie; `None` when they are not known or cannot be read.
    pub exits: Option<ExitDistances>,
    /// Fee of taking orders as a fraction; `None` while the template is not bound to an instrument.
    pub taker_fee: Option<Decimal>,
}

impl Context {
    /// Candles of this length, and nothing else known.
    pub const fn new(timeframe: Timeframe) -> Self {
        Self { timeframe, exits: None, taker_fee: None }
    }

    /// What is known of a template alone.
    pub fn of(template: &Template) -> Self {
        let exits = ExitPlan::compile(&template.exits).ok().map(|plan| plan.distances());
        Self { exits, ..Self::new(template.timeframe) }
    }
}

/// One kind's update as a function of its own. All of them inside the one that chooses would save and restore the
/// registers of the most demanding kind for every other.
#[inline(never)]
fn read_one<B: Behavior>(component: &mut B, inputs: &Inputs<'_>, reading: &mut Reading) {
    *reading = component.update(inputs);
}

/// What every component's file provides.
trait Behavior: Sized {
    /// Its page in the catalog.
    const ENTRY: ComponentEntry;

    /// The component before its first candle. The role is one of the entry's; only rules over several parameters, or
    /// over a parameter and the context, are left to check, with paths such as `parameters.fast`.
    fn prepare(role: Role, parameters: &Parameters, context: Context) -> Result<Self, Vec<Problem>>;

    /// The role it was prepared for.
    fn role(&self) -> Role;

    /// How many closed candles it must have seen, the newest included, before it answers; at least 1.
    fn warmup_candles(&self) -> u32;

    /// Takes in a closed candle.
    fn update(&mut self, inputs: &Inputs<'_>) -> Reading;

    /// The sum over the order book that it asks for.
    fn book(&self) -> Option<BookAsk> {
        None
    }

    /// One plain sentence on what it does with these parameters.
    fn explain(role: Role, parameters: &Parameters) -> String;
}

macro_rules! components {
    ($($variant:ident($type:ty)),+ $(,)?) => {
        /// A component in its role, with everything it remembers.
        ///
        /// Serialized, it is a snapshot: read back and fed the same candles, it gives the same readings to the last bit.
        ///
        /// ```
        /// use keyhold_domain::Timeframe;
        /// use keyhold_engine::component::{Component, Context};
        /// use keyhold_engine::template::ComponentSpec;
        /// let spec: ComponentSpec =
        ///     serde_json::from_str(r#"{"kind": "ema_cross", "role": "signal", "parameters": {"fast": 9}}"#).unwrap();
        /// let component = Component::build(&spec, Context::new(Timeframe::H1)).unwrap();
        /// assert_eq!((component.kind(), component.warmup_candles()), ("ema_cross", 26));
        /// ```
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[expect(missing_docs, reason = "the catalog entry of each says what it is")]
        pub enum Component { $($variant($type)),+ }

        /// Every component's page, in the order of the enum.
        pub(crate) const ENTRIES: &[ComponentEntry] = &[$(<$type as Behavior>::ENTRY),+];

        impl Component {
            fn prepare(
                kind: &str,
                role: Role,
                parameters: &Parameters,
                context: Context,
            ) -> Option<Result<Self, Vec<Problem>>> {
                $(if kind == <$type as Behavior>::ENTRY.kind {
                    return Some(<$type as Behavior>::prepare(role, parameters, context).map(Self::$variant));
                })+
                None
            }

            fn sentence(kind: &str, role: Role, parameters: &Parameters) -> Option<String> {
                $(if kind == <$type as Behavior>::ENTRY.kind {
                    return Some(<$type as Behavior>::explain(role, parameters));
                })+
                None
            }

            /// Its page in the catalog.
            pub fn entry(&self) -> &'static ComponentEntry {
                match self { $(Self::$variant(_) => const { &<$type as Behavior>::ENTRY }),+ }
            }

            /// The role it was built for.
            pub fn role(&self) -> Role {
                match self { $(Self::$variant(component) => component.role()),+ }
            }

            /// How many closed candles it must have seen, the newest included, before it answers: with the candle of
            /// this number, counted from 1, it gives its first verdict, and it never warms up again.
            pub fn warmup_candles(&self) -> u32 {
                match self { $(Self::$variant(component) => component.warmup_candles()),+ }
            }

            /// The sum over the order book that it asks for.
            pub fn book(&self) -> Option<BookAsk> {
                match self { $(Self::$variant(component) => component.book()),+ }
            }

            /// Takes in one closed candle and gives the verdict on it. Called exactly once per candle.
            pub fn update(&mut self, inputs: &Inputs<'_>) -> Reading {
                let mut reading = Reading::WARMING_UP;
                self.read(inputs, &mut reading);
                reading
            }

            /// The same into a place that the caller keeps.
            #[allow(clippy::inline_always, reason = "a jump; a call would cost more than it does")]
            #[inline(always)]
            pub(crate) fn read(&mut self, inputs: &Inputs<'_>, reading: &mut Reading) {
                match self { $(Self::$variant(component) => read_one(component, inputs, reading)),+ }
            }
        }
    };
}

components! {
    EmaCross(ma_cross::EmaCross),
    SmaCross(ma_cross::SmaCross),
    PriceVsMa(price_vs_ma::PriceVsMa),
    MaSlope(ma_slope::MaSlope),
    Macd(macd::MacdComponent),
    AdxDmi(adx_dmi::AdxDmi),
    Supertrend(supertrend::SupertrendComponent),
    ParabolicSar(parabolic_sar::ParabolicSarComponent),
    Ichimoku(ichimoku::IchimokuComponent),
    DonchianBreakout(donchian_breakout::DonchianBreakout),
    Aroon(aroon::AroonComponent),
    Vortex(vortex::VortexComponent),
    HullSlope(hull_slope::HullSlope),
    LinregSlope(linreg_slope::LinregSlope),
    HeikinAshi(heikin_ashi::HeikinAshiComponent),
    MtfTrend(mtf_trend::MtfTrend),
    SwingStructure(swing_structure::SwingStructure),
    Rsi(rsi::RsiComponent),
    Stochastic(stochastic::StochasticComponent),
    StochRsi(stoch_rsi::StochRsiComponent),
    Cci(cci::CciComponent),
    WilliamsR(williams_r::WilliamsRComponent),
    Roc(roc::RocComponent),
    Mfi(mfi::MfiComponent),
    Awesome(awesome::AwesomeComponent),
    Tsi(tsi::TsiComponent),
    RsiDivergence(rsi_divergence::RsiDivergence),
    Bollinger(bollinger::BollingerComponent),
    Keltner(keltner::KeltnerComponent),
    Squeeze(squeeze::SqueezeComponent),
    Zscore(zscore::Zscore),
    Atr(atr::AtrComponent),
    VolatilityRegime(volatility_regime::VolatilityRegime),
    HistVol(hist_vol::HistVolComponent),
    Choppiness(choppiness::ChoppinessComponent),
    AtrBreakout(atr_breakout::AtrBreakout),
    OpeningRange(opening_range::OpeningRange),
    VolumeSpike(volume_spike::VolumeSpike),
    ObvTrend(obv_trend::ObvTrend),
    Vwap(vwap::VwapComponent),
    Cmf(cmf::CmfComponent),
    FundingRate(funding_rate::FundingRate),
    PivotLevels(pivot_levels::PivotLevelsComponent),
    CandlePattern(candle_pattern::CandlePattern),
    MaDistance(ma_distance::MaDistance),
    MinMove(min_move::MinMove),
    CandleExtension(candle_extension::CandleExtension),
    RewardRisk(reward_risk::RewardRisk),
    Cooldown(cooldown::Cooldown),
    Cvd(cvd::Cvd),
    BookImbalance(book_imbalance::BookImbalance),
    OpenInterest(open_interest::OpenInterest),
    BasisPremium(basis_premium::BasisPremium),
    MaxSpread(max_spread::MaxSpread),
    MinDepth(min_depth::MinDepth),
    FundingWindow(funding_window::FundingWindow),
}

impl Component {
    /// Checks kind, role, parameter names, types, ranges and rules over several parameters, and prepares the component.
    /// All problems at once, with paths relative to the component, for example `parameters.fast`.
    pub fn build(spec: &ComponentSpec, context: Context) -> Result<Self, Vec<Problem>> {
        let entry = ENTRIES
            .iter()
            .find(|entry| entry.kind == spec.kind)
            .ok_or_else(|| vec![unknown_kind(&spec.kind)])?;
        let mut problems = Vec::new();
        if !entry.roles.iter().any(|supported| supported.role == spec.role) {
            problems.push(unsupported_role(entry, spec.role));
        }
        let parameters = match Parameters::check(entry.parameters, &spec.parameters) {
            Ok(parameters) => parameters,
            Err(more) => {
                problems.extend(more);
                return Err(problems);
            }
        };
        match Self::prepare(entry.kind, spec.role, &parameters, context) {
            Some(Ok(component)) if problems.is_empty() => Ok(component),
            Some(Ok(_)) | None => Err(problems),
            Some(Err(more)) => {
                problems.extend(more);
                Err(problems)
            }
        }
    }

    /// One plain sentence on what a component does; `None` when its kind or parameters are wrong.
    pub fn explain(spec: &ComponentSpec) -> Option<String> {
        let entry = ENTRIES.iter().find(|entry| entry.kind == spec.kind)?;
        let parameters = Parameters::check(entry.parameters, &spec.parameters).ok()?;
        Self::sentence(entry.kind, spec.role, &parameters)
    }

    /// Its name in documents.
    pub fn kind(&self) -> &'static str {
        self.entry().kind
    }

    /// Whether it asks what the bot did in other instruments.
    pub(crate) fn watches_the_bot(&self) -> bool {
        matches!(self, Self::Cooldown(cooldown) if cooldown.watches_the_bot())
    }

    /// What it works on besides candles.
    pub fn needs(&self) -> DataNeeds {
        self.entry().needs
    }
}

fn unknown_kind(kind: &str) -> Problem {
    let known: Vec<_> = ENTRIES.iter().map(|entry| entry.kind).collect();
    Problem::new(
        "kind",
        code::UNKNOWN_KIND,
        format!("There is no component `{kind}`."),
        format!("Use one of: {}.", known.join(", ")),
    )
}

fn unsupported_role(entry: &ComponentEntry, role: Role) -> Problem {
    let roles: Vec<_> = entry.roles.iter().map(|supported| supported.role.name()).collect();
    Problem::new(
        "role",
        code::ROLE_UNSUPPORTED,
        format!("`{}` cannot be used as {}.", entry.kind, role.name()),
        format!("Use it as {}.", roles.join(" or ")),
    )
}

/// The direction of a number's sign.
fn sign(value: f64) -> Direction {
    if value > 0.0 {
        Direction::Long
    } else if value < 0.0 {
        Direction::Short
    } else {
        Direction::Neutral
    }
}

/// The other direction.
const fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::Long => Direction::Short,
        Direction::Short => Direction::Long,
        Direction::Neutral => Direction::Neutral,
    }
}

/// A check that blocks one direction only, and none when it is neutral.
fn except(blocked: Direction, value: f64, limit: Option<f64>) -> Reading {
    let (long, short) = match blocked {
        Direction::Long => (Check::Block, Check::Pass),
        Direction::Short => (Check::Pass, Check::Block),
        Direction::Neutral => (Check::Pass, Check::Pass),
    };
    Reading::check(long, short, value, limit)
}

/// The direction from one number to another; a difference of less than a millionth of a millionth is rounding.
fn toward(from: f64, to: f64) -> Direction {
    let change = to - from;
    if change.abs() > 1e-12 * from.abs() { sign(change) } else { Direction::Neutral }
}

/// A check that passes only in the given direction, and in none when it is neutral.
fn only_toward(direction: Direction, value: f64, limit: Option<f64>) -> Reading {
    let (long, short) = match direction {
        Direction::Long => (Check::Pass, Check::Block),
        Direction::Short => (Check::Block, Check::Pass),
        Direction::Neutral => (Check::Block, Check::Block),
    };
    Reading::check(long, short, value, limit)
}

/// A check that answers the same for both directions.
fn both_ways(check: Check, value: f64, limit: Option<f64>) -> Reading {
    Reading::check(check, check, value, limit)
}
