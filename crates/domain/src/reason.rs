//! Stable codes: why a bot did or did not act, and why a venue refused.
//!
//! A code never changes its meaning. Each is documented in `docs/reference/reason-codes.md`; the words for
//! people live in the dashboard's catalog.

use crate::exchange::words;

words! {
    /// Why an entry happened or did not, why a position was closed, what is wrong with a key or a venue.
    ReasonCode, ReasonCodeError, "reason code",
    /// The entry was made.
    Entered = "ENTERED",
    /// The bot is paused.
    BotPaused = "BOT_PAUSED",
    /// The instance is being provisioned.
    BotDeploying = "BOT_DEPLOYING",
    /// No heartbeat.
    BotOffline = "BOT_OFFLINE",
    /// Provisioning or running failed.
    BotFailed = "BOT_FAILED",
    /// No key is assigned.
    NoKey = "NO_KEY",
    /// The assigned key is switched off; exits still run.
    KeyInactive = "KEY_INACTIVE",
    /// No template is assigned.
    NoTemplate = "NO_TEMPLATE",
    /// The key has no instruments.
    NoInstrument = "NO_INSTRUMENT",
    /// Now is in no trading session.
    OutsideSession = "OUTSIDE_SESSION",
    /// A filter failed.
    FilterBlocked = "FILTER_BLOCKED",
    /// An entry guard failed.
    GuardBlocked = "GUARD_BLOCKED",
    /// A risk gate blocks.
    GateBlocked = "GATE_BLOCKED",
    /// The daily loss limit is reached.
    LimitDailyLoss = "LIMIT_DAILY_LOSS",
    /// The weekly loss limit is reached.
    LimitWeeklyLoss = "LIMIT_WEEKLY_LOSS",
    /// The drawdown limit is reached.
    LimitDrawdown = "LIMIT_DRAWDOWN",
    /// Too many losses in a row.
    LimitConsecutiveLosses = "LIMIT_CONSECUTIVE_LOSSES",
    /// The instrument has its maximum of positions.
    LimitPositionsAsset = "LIMIT_POSITIONS_ASSET",
    /// The bot has its maximum of positions.
    LimitPositionsTotal = "LIMIT_POSITIONS_TOTAL",
    /// The position would be worth too much.
    LimitNotional = "LIMIT_NOTIONAL",
    /// All positions together would be worth too much.
    LimitExposure = "LIMIT_EXPOSURE",
    /// The leverage would be too high.
    LimitLeverage = "LIMIT_LEVERAGE",
    /// The price moved too far since the decision.
    LimitSlippage = "LIMIT_SLIPPAGE",
    /// Too many orders failed.
    LimitOrderErrors = "LIMIT_ORDER_ERRORS",
    /// The newest data is too old for the limit.
    LimitDataAge = "LIMIT_DATA_AGE",
    /// The day's number of trades is used up.
    LimitTradesPerDay = "LIMIT_TRADES_PER_DAY",
    /// Too little free margin.
    LimitFreeMargin = "LIMIT_FREE_MARGIN",
    /// The threshold is above what the enabled signals can give.
    ThresholdUnreachable = "THRESHOLD_UNREACHABLE",
    /// The combined direction is neutral.
    NoSignal = "NO_SIGNAL",
    /// The direction is switched off in the template.
    DirectionDisabled = "DIRECTION_DISABLED",
    /// History is too short.
    WarmingUp = "WARMING_UP",
    /// The newest candle is older than two intervals.
    StaleData = "STALE_DATA",
    /// A component lacks what it works on besides candles.
    DataMissing = "DATA_MISSING",
    /// Not enough balance for the smallest order.
    InsufficientBalance = "INSUFFICIENT_BALANCE",
    /// The size falls below the venue's minimum.
    BelowMinimum = "BELOW_MINIMUM",
    /// A position is already open in this instrument.
    PositionOpen = "POSITION_OPEN",
    /// An order of this instrument is still on its way.
    OrderPending = "ORDER_PENDING",
    /// The bot reconciles with the venue before anything else.
    Reconciling = "RECONCILING",
    /// The venue does not know the key.
    KeyInvalid = "KEY_INVALID",
    /// The key has expired.
    KeyExpired = "KEY_EXPIRED",
    /// The signature was refused: the secret is wrong.
    KeyBadSecret = "KEY_BAD_SECRET",
    /// The passphrase was refused.
    KeyBadPassphrase = "KEY_BAD_PASSPHRASE",
    /// The key may not trade.
    KeyNoTradePermission = "KEY_NO_TRADE_PERMISSION",
    /// The key may not read.
    KeyNoReadPermission = "KEY_NO_READ_PERMISSION",
    /// The key may withdraw and is refused.
    KeyWithdrawalEnabled = "KEY_WITHDRAWAL_ENABLED",
    /// The bot's address is not on the key's list.
    KeyIpBlocked = "KEY_IP_BLOCKED",
    /// Linear or inverse does not fit the instruments.
    KeyContractMismatch = "KEY_CONTRACT_MISMATCH",
    /// A test key on the live system or the reverse.
    KeyWrongEnvironment = "KEY_WRONG_ENVIRONMENT",
    /// The input looks filled in by a password manager.
    KeyInputSuspect = "KEY_INPUT_SUSPECT",
    /// The same key is already stored.
    KeyDuplicate = "KEY_DUPLICATE",
    /// The key is assigned to a bot.
    KeyAssigned = "KEY_ASSIGNED",
    /// The bot has an open position.
    KeyLockedByPosition = "KEY_LOCKED_BY_POSITION",
    /// A permission of the key has a name we do not know.
    KeyUnknownPermission = "KEY_UNKNOWN_PERMISSION",
    /// The venue does not tell something that matters; a person must look.
    KeyNotTold = "KEY_NOT_TOLD",
    /// The key may move money between accounts.
    KeyTransferEnabled = "KEY_TRANSFER_ENABLED",
    /// The key is bound to no address.
    KeyAddressOpen = "KEY_ADDRESS_OPEN",
    /// Connected, but the balance could not be read.
    BalanceUnavailable = "BALANCE_UNAVAILABLE",
    /// The venue does not answer.
    ExchangeDown = "EXCHANGE_DOWN",
    /// The venue is in maintenance.
    ExchangeMaintenance = "EXCHANGE_MAINTENANCE",
    /// The venue's rate limit was hit.
    ExchangeRateLimit = "EXCHANGE_RATE_LIMIT",
    /// Our clock and the venue's differ too much.
    ClockSkew = "CLOCK_SKEW",
    /// The venue does not serve this region.
    RegionForbidden = "REGION_FORBIDDEN",
    /// Hedge mode where one-way mode is needed, or an account type that does not fit.
    AccountModeMismatch = "ACCOUNT_MODE_MISMATCH",
    /// The venue does not offer this margin mode.
    MarginModeUnsupported = "MARGIN_MODE_UNSUPPORTED",
    /// Above the instrument's maximum.
    LeverageTooHigh = "LEVERAGE_TOO_HIGH",
    /// Bot and venue disagree about the position.
    PositionMismatch = "POSITION_MISMATCH",
    /// A position that is not ours.
    PositionExternal = "POSITION_EXTERNAL",
    /// Our position was closed by somebody else.
    PositionClosedExternally = "POSITION_CLOSED_EXTERNALLY",
    /// Only a part was filled.
    PartialFill = "PARTIAL_FILL",
    /// An order of ours without a place in the books.
    OrphanOrder = "ORPHAN_ORDER",
    /// The venue closed the position for lack of margin.
    Liquidated = "LIQUIDATED",
    /// Provisioning took too long.
    DeployTimeout = "DEPLOY_TIMEOUT",
    /// No node can take the bot.
    DeployNoNode = "DEPLOY_NO_NODE",
    /// The bot program's version does not fit the server's.
    DeployVersionMismatch = "DEPLOY_VERSION_MISMATCH",
    /// A fresh proof of identity is needed.
    ReauthRequired = "REAUTH_REQUIRED",
    /// The session was ended.
    SessionRevoked = "SESSION_REVOKED",
    /// The role does not allow it.
    PermissionDenied = "PERMISSION_DENIED",
    /// Exit: hard stop loss.
    ExitHardStop = "EXIT_HARD_STOP",
    /// Exit: break-even stop.
    ExitBreakEven = "EXIT_BREAK_EVEN",
    /// Exit: trailing stop.
    ExitTrailingStop = "EXIT_TRAILING_STOP",
    /// Exit: chandelier.
    ExitChandelier = "EXIT_CHANDELIER",
    /// Exit: take profit.
    ExitTakeProfit = "EXIT_TAKE_PROFIT",
    /// Exit: volatility.
    ExitVolatility = "EXIT_VOLATILITY",
    /// Exit: time stop.
    ExitTimeStop = "EXIT_TIME_STOP",
    /// Exit: the combined direction turned.
    ExitSignalFlip = "EXIT_SIGNAL_FLIP",
    /// Exit: the session ended and the template closes then.
    ExitSessionEnd = "EXIT_SESSION_END",
    /// Exit: the owner asked for it.
    ExitFlatten = "EXIT_FLATTEN",
    /// Exit: closed outside of the bot.
    ExitExternal = "EXIT_EXTERNAL",
}

words! {
    /// Why a venue refused a request: it did not happen.
    RefusalCode, RefusalCodeError, "refusal code",
    /// Unknown key.
    BadKey = "bad_key",
    /// Wrong signature.
    BadSignature = "bad_signature",
    /// Wrong passphrase.
    BadPassphrase = "bad_passphrase",
    /// Our timestamp is out of the venue's window.
    ClockSkew = "clock_skew",
    /// The address is not allowed.
    IpNotAllowed = "ip_not_allowed",
    /// The key lacks the permission.
    InsufficientPermission = "insufficient_permission",
    /// The key has expired.
    KeyExpired = "key_expired",
    /// Test key on live or the reverse.
    WrongEnvironment = "wrong_environment",
    /// Not enough margin.
    InsufficientMargin = "insufficient_margin",
    /// Price, quantity or another field breaks a rule.
    InvalidOrder = "invalid_order",
    /// A post-only order would have taken.
    PostOnlyWouldCross = "post_only_would_cross",
    /// A reduce-only order would not reduce.
    ReduceOnlyRejected = "reduce_only_rejected",
    /// An order with this client id exists already.
    DuplicateClientOrderId = "duplicate_client_order_id",
    /// No such order.
    OrderNotFound = "order_not_found",
    /// The setting already has this value.
    NoChange = "no_change",
    /// Too many requests.
    RateLimited = "rate_limited",
    /// The address is banned for a while.
    IpBanned = "ip_banned",
    /// The region is not served.
    RegionForbidden = "region_forbidden",
    /// Maintenance.
    Maintenance = "maintenance",
    /// Overloaded; the request was not taken.
    Overloaded = "overloaded",
    /// The instrument cannot be traded now.
    InstrumentHalted = "instrument_halted",
    /// The account's position or margin mode does not fit.
    AccountMode = "account_mode",
    /// A refusal we have no word for.
    Other = "other",
}
