//! A key's connection test, an instrument of [`keyhold_domain`], and a process's protections.

use utoipa::ToSchema;

use super::words::{ContractType, Exchange, InstrumentStatus, KeyCheckStep, Known, VerificationState};

/// The newest connection test of a key.
#[derive(ToSchema)]
pub(crate) struct Verification {
    state: VerificationState,
    /// When it ended, or began while testing.
    #[schema(required)]
    checked_at: Option<i64>,
    /// The first blocking finding, a reason code.
    #[schema(required)]
    code: Option<String>,
    checks: Vec<KeyCheck>,
    /// What the key may do; null when it could not be asked.
    #[schema(required)]
    facts: Option<KeyFacts>,
    balances: Vec<Balance>,
}

/// One step's result.
#[derive(ToSchema)]
pub(crate) struct KeyCheck {
    step: KeyCheckStep,
    result: KeyCheckResult,
    /// What was found, for people; never a secret.
    detail: String,
    /// The venue's own code.
    #[schema(required)]
    venue_code: Option<String>,
}

/// How a step went; codes are documented in `docs/reference/reason-codes.md`.
#[derive(ToSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub(crate) enum KeyCheckResult {
    /// Good.
    Passed,
    /// Not blocking, but worth knowing.
    Warning { code: String },
    /// Blocking.
    Failed { code: String },
    /// An earlier failure made it pointless, or the venue has no such thing.
    NotReached,
}

/// The permissions and bounds of a key, as read back from its venue.
#[derive(ToSchema)]
pub(crate) struct KeyFacts {
    read: Known,
    trade: Known,
    withdraw: Known,
    transfer: Known,
    ip_bound: Known,
    /// The addresses it is bound to, when told.
    ip_addresses: Vec<String>,
    /// When it stops working, when told.
    #[schema(required)]
    expires_at: Option<i64>,
    /// Words of the venue that we do not know; each counts as dangerous.
    unknown_permissions: Vec<String>,
    contract_types: Vec<ContractType>,
}

/// The holdings of one asset.
#[derive(ToSchema)]
pub(crate) struct Balance {
    asset: String,
    /// Deposits plus realized results.
    wallet: String,
    /// Wallet plus unrealized profit.
    equity: String,
    /// What new positions may use as margin.
    available: String,
}

/// A perpetual contract.
#[derive(ToSchema)]
pub(crate) struct Instrument {
    exchange: Exchange,
    symbol: String,
    base: String,
    quote: String,
    settle: String,
    contract_type: ContractType,
    /// Base (linear) or quote (inverse) units per unit of quantity.
    multiplier: String,
    tick: String,
    lot: String,
    min_quantity: String,
    #[schema(required)]
    max_quantity: Option<String>,
    /// Smallest value of an order in quote currency, when the venue has one.
    #[schema(required)]
    min_notional: Option<String>,
    max_leverage: String,
    /// Share of a position's value below which the venue liquidates.
    maintenance_margin: String,
    /// Negative for a rebate.
    maker_fee: String,
    taker_fee: String,
    funding_interval_hours: u32,
    status: InstrumentStatus,
}

/// Which protections of a process are in force.
#[derive(ToSchema)]
#[serde(tag = "level", rename_all = "snake_case")]
pub(crate) enum Isolation {
    /// All of them.
    Full,
    /// Some are missing; configuration allows it.
    Degraded { missing: Vec<String> },
}
