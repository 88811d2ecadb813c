//! What a job is asked to do, complete: everything that its result depends on besides the candles.

use keyhold_domain::money::decimal_text;
use keyhold_domain::{
    ContractType, Decimal, Environment, Exchange, Instrument, Rate, Symbol, TemplateId, Timeframe, Timestamp,
};
use keyhold_engine::settings::BotSettings;
use keyhold_engine::template::Template;
use keyhold_history::Market;
use keyhold_simulator::backtest::{Funding, LimitUse, Spec, Unsupported};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::shape;

/// Candles in one run at most, as recorded: more than ten years of minutes.
pub(crate) const MOST_CANDLES: u64 = 6_000_000;
/// How many times what the components need comes before a range, so that averages that never forget have settled.
const SETTLING: i64 = 4;

/// A market and the world it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    #[schema(value_type = shape::Exchange)]
    pub(crate) exchange: Exchange,
    #[schema(value_type = shape::Environment)]
    pub(crate) environment: Environment,
    #[schema(value_type = shape::ContractType)]
    pub(crate) contract_type: ContractType,
    #[schema(value_type = String)]
    pub(crate) symbol: Symbol,
}

impl Place {
    /// Its shelf of candles of a timeframe.
    pub(crate) const fn market(self, timeframe: Timeframe) -> Market {
        let Self { exchange, contract_type, symbol, .. } = self;
        Market { exchange, contract_type, symbol, timeframe }
    }
}

/// Fees as fractions of an order's value; negative for rebates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fees {
    /// Of resting orders.
    #[schema(value_type = String)]
    pub(crate) maker: Rate,
    /// Of taking orders.
    #[schema(value_type = String)]
    pub(crate) taker: Rate,
}

/// Funding payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum FundingChoice {
    /// None.
    #[default]
    Off,
    /// The same rate at every funding time.
    Constant {
        #[schema(value_type = String)]
        rate: Rate,
    },
}

/// A switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// What to do with components that candles cannot feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UnsupportedChoice {
    /// The run is refused.
    #[default]
    Refuse,
    /// Signals count as neutral; filters, guards and gates are left out.
    Neutral,
}

/// What to do with gaps in the candles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GapChoice {
    /// The run is refused.
    #[default]
    Refuse,
    /// The run goes over them; the result names them.
    Accept,
}

/// What is assumed beside template, markets and range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assumed {
    /// At the start, in the settlement asset.
    #[serde(with = "decimal_text")]
    #[schema(value_type = String)]
    pub(crate) equity: Decimal,
    /// Sizing, leverage and limits.
    #[schema(value_type = shape::Settings)]
    pub(crate) settings: BotSettings,
    /// Null for the exchange's own.
    #[schema(required)]
    pub(crate) fees: Option<Fees>,
    /// Basis points by which market orders and stops fill worse.
    #[serde(with = "decimal_text")]
    #[schema(value_type = String)]
    pub(crate) slippage_bps: Decimal,
    pub(crate) funding: FundingChoice,
    /// Whether the settings' limits hold.
    pub(crate) limits: Switch,
    pub(crate) unsupported: UnsupportedChoice,
    pub(crate) gaps: GapChoice,
    /// Whether it is looked at what each component contributed. Takes longer.
    pub(crate) signals: Switch,
}

/// One market of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunMarket {
    pub(crate) place: Place,
    /// As the exchange listed it when the run was asked for.
    pub(crate) instrument: Instrument,
    /// The candles it is run on are put together from these.
    pub(crate) recorded: Timeframe,
}

/// A backtest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct BacktestRequest {
    /// Null for a document that was never saved.
    pub(crate) template_id: Option<TemplateId>,
    pub(crate) template_version: Option<u32>,
    pub(crate) document: Template,
    pub(crate) markets: Vec<RunMarket>,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    /// Candles of history that the components need.
    pub(crate) warmup_candles: u32,
    /// Recorded candles that will be read.
    pub(crate) recorded_candles: u64,
    pub(crate) assumed: Assumed,
}

impl BacktestRequest {
    /// Recorded candles from here on are read.
    pub(crate) fn read_from(&self) -> Timestamp {
        let history = i64::from(self.warmup_candles).saturating_mul(SETTLING);
        self.from.plus_ms(-history.saturating_mul(self.document.timeframe.ms()))
    }

    /// The simulator's specification.
    pub(crate) fn spec(&self) -> Option<Spec> {
        let first = self.markets.first()?.instrument;
        let settings = self.assumed.settings.clone();
        let mut spec = Spec::new(self.document.clone(), first, settings, self.assumed.equity);
        if let Some(id) = self.template_id {
            spec.template_id = id;
        }
        if let Some(version) = self.template_version {
            spec.template_version = version;
        }
        spec.from = Some(self.from);
        spec.until = Some(self.until);
        spec.fills.slippage_bps = self.assumed.slippage_bps;
        spec.funding = self.assumed.funding.into();
        spec.limits = match self.assumed.limits {
            Switch::On => LimitUse::On,
            Switch::Off => LimitUse::Off,
        };
        spec.unsupported = match self.assumed.unsupported {
            UnsupportedChoice::Refuse => Unsupported::Refuse,
            UnsupportedChoice::Neutral => Unsupported::Neutral,
        };
        spec.most_candles = MOST_CANDLES;
        Some(spec)
    }
}

impl From<FundingChoice> for Funding {
    fn from(choice: FundingChoice) -> Self {
        match choice {
            FundingChoice::Off => Self::Off,
            FundingChoice::Constant { rate } => Self::Constant(rate),
        }
    }
}

/// Candles to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FetchRequest {
    pub(crate) place: Place,
    pub(crate) timeframe: Timeframe,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}
