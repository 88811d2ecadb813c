// What a person reads for a stable code. One entry per code of the server's list; an unknown code shows the server's
// own title. Sentences follow one pattern: the fact, the consequence, the step.

interface CodeEntry {
  /** A few words for badges, tables and strips. */
  short: string;
  /** Whole sentences; absent when the server's own detail (with its values) says more. */
  text?: string;
}

const CODES: Record<string, CodeEntry> = {
  // No trade
  ENTERED: { short: 'Entered' },
  BOT_PAUSED: {
    short: 'Paused',
    text: 'The bot is paused: it manages open positions and opens nothing new.',
  },
  BOT_DEPLOYING: { short: 'Deploying', text: 'The bot is starting.' },
  BOT_OFFLINE: {
    short: 'Offline',
    text: 'No heartbeat from the bot. Stops that rest at the exchange still work.',
  },
  BOT_FAILED: { short: 'Failed', text: 'The bot failed and does not run.' },
  NO_KEY: { short: 'No key', text: 'No API key is assigned, so there is no account to trade.' },
  KEY_INACTIVE: {
    short: 'Key off',
    text: 'The key is switched off: exits still run, nothing new is opened.',
  },
  NO_TEMPLATE: { short: 'No template', text: 'No template is assigned, so there is nothing to decide with.' },
  NO_INSTRUMENT: {
    short: 'No market',
    text: 'No market is chosen for the key. Choose at least one on the key’s page.',
  },
  OUTSIDE_SESSION: { short: 'Outside session' },
  FILTER_BLOCKED: { short: 'Filter blocked' },
  GUARD_BLOCKED: { short: 'Guard blocked' },
  GATE_BLOCKED: { short: 'Gate blocked' },
  LIMIT_DAILY_LOSS: { short: 'Daily loss limit' },
  LIMIT_WEEKLY_LOSS: { short: 'Weekly loss limit' },
  LIMIT_DRAWDOWN: { short: 'Drawdown limit' },
  LIMIT_CONSECUTIVE_LOSSES: { short: 'Losses in a row' },
  LIMIT_POSITIONS_ASSET: { short: 'Positions per asset' },
  LIMIT_POSITIONS_TOTAL: { short: 'Positions in total' },
  LIMIT_NOTIONAL: { short: 'Position size limit' },
  LIMIT_EXPOSURE: { short: 'Exposure limit' },
  LIMIT_LEVERAGE: { short: 'Leverage limit' },
  LIMIT_SLIPPAGE: { short: 'Slippage limit' },
  LIMIT_ORDER_ERRORS: { short: 'Order errors limit' },
  LIMIT_DATA_AGE: { short: 'Data too old' },
  LIMIT_TRADES_PER_DAY: { short: 'Trades per day' },
  LIMIT_FREE_MARGIN: { short: 'Free margin limit' },
  THRESHOLD_UNREACHABLE: { short: 'Threshold unreachable' },
  NO_SIGNAL: { short: 'No signal' },
  DIRECTION_DISABLED: { short: 'Direction off' },
  WARMING_UP: { short: 'Warming up' },
  STALE_DATA: { short: 'Stale data' },
  DATA_MISSING: { short: 'Data missing' },
  INSUFFICIENT_BALANCE: { short: 'Balance too small' },
  BELOW_MINIMUM: { short: 'Below minimum size' },
  POSITION_OPEN: { short: 'Position open' },
  ORDER_PENDING: { short: 'Order pending' },
  RECONCILING: { short: 'Reconciling' },
  // Keys
  KEY_INVALID: {
    short: 'Key unknown',
    text: 'The exchange does not know this key. It may be mistyped, deleted, or belong to another environment. Compare its first and last characters. If a password manager may have filled it in, paste it again in a private window.',
  },
  KEY_EXPIRED: {
    short: 'Key expired',
    text: 'The key has expired. Create a new one at the exchange and replace it here.',
  },
  KEY_BAD_SECRET: {
    short: 'Secret refused',
    text: 'The exchange refused the signature, so the secret is not the one of this key. Secrets are case-sensitive: copy and paste it again. If a password manager may have filled it in, use a private window.',
  },
  KEY_BAD_PASSPHRASE: {
    short: 'Passphrase refused',
    text: 'The passphrase is the one you chose when creating the key. It cannot be recovered, only replaced with a new key. If a password manager may have filled it in, paste it again in a private window.',
  },
  KEY_NO_TRADE_PERMISSION: {
    short: 'No trading right',
    text: 'The key may read but not trade. Tick the trading boxes named in the guide at the exchange, then test again.',
  },
  KEY_NO_READ_PERMISSION: {
    short: 'No read right',
    text: 'The key may not read balances. Tick the read boxes named in the guide at the exchange, then test again.',
  },
  KEY_WITHDRAWAL_ENABLED: {
    short: 'Withdrawals on',
    text: 'This key can move money out, so it is refused. Switch the withdrawal right off at the exchange, or create a key without it.',
  },
  KEY_UNKNOWN_PERMISSION: {
    short: 'Unknown right',
    text: 'The exchange names a permission that is not known here. It counts as dangerous until it is understood.',
  },
  KEY_NOT_TOLD: {
    short: 'Not told',
    text: 'The exchange does not tell this about the key. Not known is not taken for good: look it up there.',
  },
  KEY_TRANSFER_ENABLED: {
    short: 'Transfers on',
    text: 'This key can move money between accounts of its owner. A bot does not need that: switch the right off at the exchange.',
  },
  KEY_ADDRESS_OPEN: {
    short: 'Any address',
    text: 'This key can be used from any address. Bind it to the address shown here, at the exchange.',
  },
  EXCHANGE_CLOSED: {
    short: 'Exchange closed',
  },
  EXCHANGE_SITE_UNKNOWN: {
    short: 'No such site',
  },
  KEY_IP_BLOCKED: {
    short: 'Address blocked',
    text: 'The exchange accepts this key only from other addresses. Add the address shown here to the key’s allow-list.',
  },
  KEY_CONTRACT_MISMATCH: {
    short: 'Wrong contract type',
    text: 'The market’s contract type is not the key’s. A linear key trades linear markets, an inverse key inverse ones.',
  },
  KEY_WRONG_ENVIRONMENT: {
    short: 'Wrong environment',
    text: 'The key belongs to another environment of this exchange. Add it again under the right one.',
  },
  KEY_INPUT_SUSPECT: {
    short: 'Looks filled in',
    text: 'This looks filled in by your browser or password manager. Paste the value from the exchange instead. If it happens again, use a private window.',
  },
  KEY_DUPLICATE: {
    short: 'Already stored',
    text: 'This key is already stored here. Use the stored one, or create another key at the exchange.',
  },
  KEY_ASSIGNED: { short: 'In use' },
  KEY_NOT_VERIFIED: {
    short: 'Not verified',
    text: 'The key has not passed its connection test yet. Test it first.',
  },
  KEY_LOCKED_BY_POSITION: {
    short: 'Position open',
    text: 'The bot has open positions with this key. Close them before changing the key.',
  },
  BALANCE_UNAVAILABLE: {
    short: 'Balance unknown',
    text: 'Connected, but no balance came back. Check in this order: credentials, permissions, funds in the right wallet, autofill.',
  },
  // Exchange
  EXCHANGE_DOWN: {
    short: 'Exchange down',
    text: 'The exchange does not answer. Orders that rest there still work.',
  },
  EXCHANGE_MAINTENANCE: { short: 'Maintenance', text: 'The exchange is under maintenance.' },
  EXCHANGE_RATE_LIMIT: {
    short: 'Rate limit',
    text: 'The exchange asks for fewer requests. The bot waits and goes on.',
  },
  CLOCK_SKEW: { short: 'Clock wrong' },
  REGION_FORBIDDEN: {
    short: 'Region refused',
    text: 'The exchange refuses the region of this server’s address.',
  },
  ACCOUNT_MODE_MISMATCH: {
    short: 'Account mode',
    text: 'The account is in hedge mode. Switch it to one-way mode at the exchange.',
  },
  MARGIN_MODE_UNSUPPORTED: { short: 'Margin mode' },
  LEVERAGE_TOO_HIGH: { short: 'Leverage too high' },
  POSITION_MISMATCH: { short: 'Position mismatch' },
  POSITION_EXTERNAL: { short: 'Foreign position' },
  POSITION_CLOSED_EXTERNALLY: { short: 'Closed elsewhere' },
  PARTIAL_FILL: { short: 'Partly filled' },
  ORPHAN_ORDER: { short: 'Orphan order' },
  LIQUIDATED: { short: 'Liquidated' },
  DEPLOY_TIMEOUT: { short: 'Start timed out' },
  DEPLOY_NO_NODE: { short: 'No room' },
  DEPLOY_VERSION_MISMATCH: { short: 'Version mismatch' },
  // Exits
  EXIT_HARD_STOP: { short: 'Hard stop' },
  EXIT_BREAK_EVEN: { short: 'Break-even stop' },
  EXIT_TRAILING_STOP: { short: 'Trailing stop' },
  EXIT_CHANDELIER: { short: 'Chandelier exit' },
  EXIT_TAKE_PROFIT: { short: 'Take profit' },
  EXIT_VOLATILITY: { short: 'Volatility exit' },
  EXIT_TIME_STOP: { short: 'Time stop' },
  EXIT_SIGNAL_FLIP: { short: 'Signal flip' },
  EXIT_SESSION_END: { short: 'Session end' },
  EXIT_FLATTEN: { short: 'Flattened' },
  EXIT_EXTERNAL: { short: 'Closed elsewhere' },
  // Backtests
  BT_NO_DATA: { short: 'No candles' },
  BT_DATA_GAPS: { short: 'Gaps in the candles' },
  BT_DATA_INVALID: { short: 'Candles out of order' },
  BT_RANGE_TOO_SHORT: { short: 'Range too short' },
  BT_COMPONENT_UNSUPPORTED: { short: 'Needs more than candles' },
  BT_NO_TRADES: { short: 'No trades' },
  BT_LIMIT_EXCEEDED: { short: 'Too large' },
  BT_TEMPLATE_INVALID: { short: 'Template has problems' },
  BT_EQUITY_INVALID: { short: 'No starting equity' },
  BT_EXCHANGE_REFUSED: { short: 'Refused by the simulated exchange' },
  BT_CANCELED: { short: 'Canceled' },
  BT_STOP_BEYOND_LIQUIDATION: { short: 'Stop beyond liquidation' },
  BT_OVERFLOW: { short: 'Numbers too large' },
  BT_TRADES_CUT: { short: 'Not all trades are kept' },
  BT_SERVER_ENDED: { short: 'The server ended' },
  BT_FAILED: { short: 'Failed' },
  BT_REFUSED: { short: 'Refused' },
  BACKTEST_COMPLETED: { short: 'Backtest completed' },
  BACKTEST_FAILED: { short: 'Backtest failed' },
  CANDLES_FETCHED: { short: 'Candles fetched' },
  CANDLES_FAILED: { short: 'Candles not fetched' },
  // Accounts and calls
  REAUTH_REQUIRED: { short: 'Confirm it is you', text: 'This change needs a fresh proof that it is you.' },
  SESSION_REVOKED: { short: 'Signed out', text: 'This session was signed out. Sign in again.' },
  PERMISSION_DENIED: { short: 'Not allowed' },
  LAST_SIGN_IN_METHOD: {
    short: 'Last way in',
    text: 'This is the last way to sign in. Add another one before removing it.',
  },
  PLAINTEXT_SECRET_REFUSED: {
    short: 'Secret refused',
    text: 'The server refuses readable secrets. Nothing was stored. Reload this page and paste the secret again.',
  },
  POSITIONS_CHOICE_REQUIRED: {
    short: 'Choice needed',
    text: 'Positions are open. Choose whether they are closed or left.',
  },
  TEMPLATE_IN_USE: { short: 'In use' },
  SYSTEM_TEMPLATE: {
    short: 'Built in',
    text: 'Built-in templates cannot be changed. Duplicate it and change the copy.',
  },
  OFFLINE: { short: 'Offline', text: 'You are offline. Bots keep running on the server.' },
  UNREACHABLE: {
    short: 'No answer',
    text: 'The server does not answer. Bots that run keep running. This page tries again by itself.',
  },
};

/** Sentences for a code, or null when the server's own words are better. */
export function codeText(code: string): string | null {
  return CODES[code]?.text ?? null;
}

/** A few words for a code; an unknown code in readable form. */
export function codeShort(code: string): string {
  const known = CODES[code]?.short;
  if (known) return known;
  const words = code.toLowerCase().replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
