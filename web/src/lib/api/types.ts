// The shapes the server sends and accepts. Amounts are decimal text, times are integer milliseconds UTC.
// Nothing here computes; see lib/money and lib/time. Endpoints that use these shapes: endpoints.ts.

/** Decimal number as text, for example "0.0015". Never converted to a binary float for arithmetic. */
export type DecimalText = string;
/** Milliseconds since 1970-01-01 UTC. */
export type Timestamp = number;

export type Environment = 'live' | 'testnet' | 'simulated';
export type ContractType = 'linear' | 'inverse';
export type Side = 'buy' | 'sell';
export type Known = 'yes' | 'no' | 'unknown';
export type Severity = 'info' | 'warning' | 'critical';

export interface Money {
  /** Null when a part of the sum is not known. */
  amount: DecimalText | null;
  asset: string;
}

// Setup and accounts

export interface Setup {
  state: 'unclaimed' | 'claimed';
  registration: 'open' | 'closed';
  version: string;
  public_origin: string;
}

export interface Me {
  user: { id: string; email: string; has_password: boolean; passkeys: number };
  workspace: { id: string; name: string; kind: string };
  session: { id: string; reverified_until: Timestamp | null };
  install_id: string;
}

export interface Ceremony<Options> {
  ceremony: string;
  options: Options;
}

export interface SessionEntry {
  id: string;
  created_at: Timestamp;
  last_seen_at: Timestamp;
  user_agent: string;
  address: string | null;
  current: boolean;
}

export interface Passkey {
  id: string;
  name: string;
  created_at: Timestamp;
  last_used_at: Timestamp | null;
}

// Reference data

export interface ExchangeGuide {
  open_url: string;
  open_url_testnet?: string;
  revoke_url?: string;
  steps?: string[];
  tick: string[];
  leave_off: string[];
  address_note: string;
  expiry_note: string;
  checked_on: string;
}

export interface ExchangeEntry {
  exchange: string;
  name: string;
  environments: Environment[];
  contract_types: ContractType[];
  passphrase: 'none' | 'required';
  closed_since?: string | null;
  status_url?: string | null;
  guide: ExchangeGuide;
  /** Present only when a simulated venue is configured: credentials of a paper account. */
  demo_credential?: { api_key: string; api_secret: string; passphrase?: string | null } | null;
}

export interface Instrument {
  exchange: string;
  symbol: string;
  base: string;
  quote: string;
  settle: string;
  contract_type: ContractType;
  multiplier: DecimalText;
  tick: DecimalText;
  lot: DecimalText;
  min_quantity: DecimalText;
  max_quantity: DecimalText | null;
  min_notional: DecimalText | null;
  max_leverage: DecimalText;
  funding_interval_hours: number;
  status: 'trading' | 'halted' | 'delisted';
}

// API keys

export type KeyCheckStep =
  | 'reachable'
  | 'clock'
  | 'key_known'
  | 'signature'
  | 'passphrase'
  | 'address'
  | 'expiry'
  | 'permissions'
  | 'account'
  | 'balance';

export type KeyCheckResult =
  | { result: 'passed' }
  | { result: 'warning'; code: string }
  | { result: 'failed'; code: string }
  | { result: 'not_reached' };

export interface KeyCheck {
  step: KeyCheckStep;
  result: KeyCheckResult;
  detail: string;
  venue_code: string | null;
}

export interface KeyFacts {
  read: Known;
  trade: Known;
  withdraw: Known;
  transfer: Known;
  ip_bound: Known;
  ip_addresses: string[];
  expires_at: Timestamp | null;
  unknown_permissions: string[];
  contract_types: ContractType[];
}

export interface Balance {
  asset: string;
  wallet: DecimalText;
  equity: DecimalText;
  available: DecimalText;
}

export interface Verification {
  state: 'unverified' | 'testing' | 'ok' | 'failed';
  checked_at: Timestamp | null;
  code?: string | null;
  checks: KeyCheck[];
  facts?: KeyFacts | null;
  balances: Balance[];
}

export interface Key {
  id: string;
  label: string;
  exchange: string;
  market_type: string;
  environment: Environment;
  contract_type: ContractType;
  hint: string;
  fingerprint_tag: string;
  active: boolean;
  assigned_bot: { id: string; label: string } | null;
  instruments: string[];
  verification: Verification;
  created_at: Timestamp;
  record_version: number;
  egress_addresses: string[];
}

export interface KeyIntent {
  key_id: string;
  record_version: number;
  install_id: string;
  workspace_id: string;
  keeper: { key_id: string; public_key: string; fingerprint: string };
  fingerprint_key: string;
  egress_addresses: string[];
  expires_at: Timestamp;
}

export interface SealedUpload {
  label: string;
  envelope: string;
  sealed_data_key: string;
  hint: string;
  fingerprint: string;
}

// Templates and the catalog

export interface DocumentProblem {
  path: string;
  code: string;
  message: string;
  remedy: string;
}

export type Role = 'signal' | 'filter' | 'entry_guard' | 'risk_gate';
export type ParameterValue = string | number | string[] | { pct: string; share: string }[];
export type YesNo = 'yes' | 'no';
export type Weekday = 'mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun';

export interface ComponentSpec {
  kind: string;
  role: Role;
  parameters?: Record<string, ParameterValue>;
  weight?: DecimalText | number;
  enabled?: YesNo;
}

export interface ExitSpec {
  kind: string;
  parameters?: Record<string, ParameterValue>;
  enabled?: YesNo;
}

export interface SessionSpec {
  name: string;
  start: string;
  end: string;
  weekdays?: Weekday[];
}

export type CombinationMode = 'min_score' | 'min_signals' | 'weighted_average' | 'majority' | 'all' | 'any';

export interface Combination {
  mode: CombinationMode;
  threshold?: DecimalText | number;
  count?: number;
}

export interface TemplateDocument {
  format: number;
  name: string;
  description?: string;
  timeframe: string;
  combination: Combination;
  direction?: 'both' | 'long_only' | 'short_only';
  components: ComponentSpec[];
  exits: ExitSpec[];
  sessions?: SessionSpec[];
  at_session_end?: 'keep' | 'close';
  missing_hard_stop?: 'refuse' | 'confirmed';
}

export interface Template {
  id: string;
  name: string;
  kind: 'system' | 'user';
  version: number;
  document: TemplateDocument;
  valid: boolean;
  problems: DocumentProblem[];
  explanation: string | string[];
  used_by: { id: string; label: string }[];
  updated_at: Timestamp | null;
}

export interface TemplateCheck {
  problems: DocumentProblem[];
  explanation: string | string[];
}

interface ParameterBase {
  name: string;
  title: string;
  help: string;
  roles: Role[];
  applies_if: { parameter: string; choice: string } | null;
}

export type ParameterEntry = ParameterBase &
  (
    | { type: 'integer'; unit: string; default: number; min: number; max: number; step: number }
    | {
        type: 'number';
        unit: string;
        default: DecimalText | null;
        min: DecimalText;
        max: DecimalText;
        step: DecimalText;
      }
    | { type: 'choice'; choices: string[]; default: string }
    | { type: 'choices'; choices: string[]; default: string[] }
    | { type: 'ladder'; max_steps: number }
  );

export interface ComponentEntry {
  kind: string;
  family: string;
  title: string;
  help: string;
  roles: { role: Role; help: string }[];
  needs: {
    funding: boolean;
    next_funding: boolean;
    quote: boolean;
    book: boolean;
    trades: boolean;
    open_interest: boolean;
    premium: boolean;
  };
  warmup: string;
  unit: string;
  parameters: ParameterEntry[];
}

export interface ExitEntry {
  kind: string;
  family: string;
  title: string;
  help: string;
  warmup: string;
  parameters: ParameterEntry[];
}

export interface Catalog {
  components: ComponentEntry[];
  exits: ExitEntry[];
  timeframes: string[];
  combination_modes: (string | { mode: string; title?: string; help?: string })[];
}

// Bots

export type BotStatus = 'deploying' | 'online' | 'paused' | 'offline' | 'failed' | 'stopping' | 'stopped';
export type Phase =
  'idle' | 'connecting' | 'reconciling' | 'warming_up' | 'online' | 'exits_only' | 'stopping';

export interface Position {
  bot?: { id: string; label: string };
  bot_id?: string;
  environment?: Environment | null;
  symbol: string;
  size: DecimalText;
  entry: DecimalText | null;
  mark: DecimalText | null;
  unrealized: DecimalText | null;
  settle?: string;
  stop?: DecimalText | null;
  stop_at_venue?: 'venue' | 'bot' | 'none';
  target?: DecimalText | null;
  liquidation: DecimalText | null;
  opened_at?: Timestamp | null;
  updated_at?: Timestamp | null;
}

export interface Bot {
  id: string;
  label: string;
  region: string;
  environment: Environment | null;
  status: BotStatus;
  phase: Phase | null;
  wish: 'running' | 'paused' | 'stopped';
  key: { id: string; label: string; hint: string; active: boolean } | null;
  template: { id: string; name: string; version: number } | null;
  settings: BotSettings;
  last_heartbeat_at: Timestamp | null;
  deployment_id: string | null;
  isolation: { level: string; missing?: string[] } | null;
  egress_addresses: string[];
  positions: Position[];
  reason: { code: string; text: string } | null;
  missing: ('key' | 'template' | 'instrument')[];
  pnl_today: Money[];
  created_at: Timestamp;
}

export type Sizing =
  | { mode: 'fixed_quantity'; quantity: DecimalText }
  | { mode: 'fixed_notional'; quote: DecimalText }
  | { mode: 'percent_equity'; pct: DecimalText }
  | { mode: 'risk_per_trade'; pct: DecimalText };

export interface Limits {
  max_positions_per_asset?: number | null;
  max_positions_total?: number | null;
  daily_loss?: {
    most: { pct: DecimalText } | { amount: DecimalText };
    counting?: 'realized_and_unrealized' | 'realized';
    when_hit?: 'block' | 'close_all';
  } | null;
  weekly_loss_pct?: DecimalText | null;
  max_drawdown_pct?: DecimalText | null;
  consecutive_losses?: { count: number; lookback_candles: number; cool_off_candles: number } | null;
  max_position_notional?: {
    most: { quote: DecimalText } | { pct_equity: DecimalText };
    when_larger?: 'reduce' | 'refuse';
  } | null;
  max_total_exposure_pct?: DecimalText | null;
  max_leverage?: DecimalText | null;
  max_slippage_bps?: DecimalText | null;
  order_errors?: { count: number; window_s: number } | null;
  max_data_age_s?: number | null;
  max_trades_per_day?: number | null;
  min_free_margin_pct?: DecimalText | null;
}

export interface BotSettings {
  format: number;
  sizing: Sizing;
  leverage: DecimalText;
  limits?: Limits;
  protective_stop?: 'at_venue' | 'in_engine';
  take_profit?: 'at_venue' | 'in_engine';
  stop_trigger?: 'last' | 'mark' | 'index';
  recording?: 'everything' | 'changes' | 'actions';
  warmup_candles?: number | null;
}

export interface BotCommand {
  id?: string;
  command_id?: string;
  bot_id?: string;
  type?: string;
  status: string;
  created_at?: Timestamp;
  finished_at?: Timestamp | null;
  code?: string | null;
  error?: string | null;
  detail?: string | null;
}

export interface Candle {
  open_time: Timestamp;
  open: DecimalText;
  high: DecimalText;
  low: DecimalText;
  close: DecimalText;
  volume: DecimalText;
}

export interface Decision {
  id?: string;
  bot_id?: string;
  at?: Timestamp;
  symbol: string;
  candle: Candle;
  timeframe: string;
  template?: string;
  template_version?: number;
  code: string;
  wanted: Side | null;
  score: string;
  threshold: string;
  record: unknown;
}

export interface Order {
  id?: string;
  bot_id?: string;
  at?: Timestamp;
  order: {
    client_id: string;
    symbol: string;
    side: Side;
    kind: { type: string; [field: string]: unknown };
    quantity: DecimalText;
    effect: string;
    purpose: string;
  };
  venue_id: string | null;
  status: string | null;
  outcome: 'in_flight' | 'accepted' | 'refused' | 'unknown' | 'not_sent';
  filled: DecimalText;
  average_price: DecimalText | null;
  refusal: string | null;
  reason: string;
  decision: Timestamp | null;
  decided_at: Timestamp;
  sent_at: Timestamp | null;
  acknowledged_at: Timestamp | null;
}

export interface Fill {
  id?: string;
  bot_id?: string;
  bot?: { id: string; label: string };
  environment?: Environment | null;
  fill: {
    fill_id: string;
    client_id: string | null;
    venue_order_id: string;
    symbol: string;
    side: Side;
    price: DecimalText;
    quantity: DecimalText;
    fee: Money;
    liquidity: 'maker' | 'taker';
    at: Timestamp;
  };
  purpose: string | null;
  decision_price: DecimalText | null;
}

export interface Deployment {
  id: string;
  requested_at?: Timestamp;
  online_at?: Timestamp | null;
  stopped_at?: Timestamp | null;
  end_reason?: string | null;
  region?: string;
  egress_address?: string | null;
}

export interface ChartData {
  candles: Candle[];
  entries: { at: Timestamp; price: DecimalText; side: Side }[];
  exits: { at: Timestamp; price: DecimalText; side: Side; reason: string }[];
  stop: DecimalText | null;
  target: DecimalText | null;
}

export interface WhyStep {
  step: string;
  state: 'pass' | 'block' | 'unknown';
  code?: string | null;
  text: string;
  value?: string | number | null;
  limit?: string | number | null;
}

// Trades, dashboard, feed

export interface Trade {
  id: string;
  bot_id?: string;
  bot?: { id: string; label: string } | null;
  environment?: Environment | null;
  symbol: string;
  side: Side;
  quantity: DecimalText;
  entry_price: DecimalText;
  exit_price: DecimalText;
  entered_at: Timestamp;
  exited_at: Timestamp;
  gross: DecimalText;
  fees: DecimalText;
  funding: DecimalText;
  net: DecimalText;
  settle: string;
  exit_reason: string;
  entry_decision: Timestamp | null;
  template?: string;
  template_version?: number;
  record?: unknown;
}

export interface TradeDetail extends Trade {
  fills: Fill[];
  orders: Order[];
  decision: Decision | null;
}

export interface Page<T> {
  items: T[];
  next: string | number | null;
}

export interface Dashboard {
  kpis: {
    equity: Money[];
    pnl_today: Money[];
    open_pnl: Money[];
    win_rate: DecimalText | null;
    trades: number;
    bots: { online: number; paused: number; trouble: number };
  };
  attention: { code: string; text: string; link: string }[];
  equity_series: { asset: string; points: [Timestamp, DecimalText][] }[];
}

export interface Activity {
  id: string;
  at: Timestamp;
  severity: Severity;
  code: string;
  text: string;
  bot?: { id: string; label: string } | null;
  key?: { id: string; label: string } | null;
}
