// Names for the shapes the server sends and accepts. Every one is a part of schema.d.ts, which is generated from the
// server; nothing is described here a second time. Amounts are decimal text, times are integer milliseconds UTC.
// Nothing here computes; see lib/money and lib/time. Endpoints that use these shapes: endpoints.ts.

import type { components } from './schema';

type Schemas = components['schemas'];

/** Decimal number as text, for example "0.0015". Never converted to a binary float for arithmetic. */
export type DecimalText = string;
/** Milliseconds since 1970-01-01 UTC. */
export type Timestamp = number;

// Words

export type BotStatus = Schemas['BotStatus'];
export type CombinationMode = Schemas['ModeName'];
export type ContractType = Schemas['ContractType'];
export type Direction = Schemas['Direction'];
export type Environment = Schemas['Environment'];
export type Exchange = Schemas['Exchange'];
export type KeyCheckStep = Schemas['KeyCheckStep'];
export type Known = Schemas['Known'];
export type Phase = Schemas['Phase'];
export type Role = Schemas['Role'];
export type Severity = Schemas['Severity'];
export type Side = Schemas['Side'];
export type Timeframe = Schemas['Timeframe'];
export type TradeEnvironment = Schemas['TradeEnvironment'];
export type Unit = Schemas['Unit'];
export type Weekday = Schemas['Weekday'];

/** An amount of one asset; null when a part of the sum is not known. */
export type Money = Schemas['Amount'];

// Setup and accounts

export type Setup = Schemas['Setup'];
export type Me = Schemas['Me'];
export type Reverified = Schemas['Reverified'];
export type SessionEntry = Schemas['SessionEntry'];
export type Passkey = Schemas['PasskeyEntry'];

// Reference data

export type ExchangeEntry = Schemas['ExchangeEntry'];
/** The parts of a credential and what they usually look like. */
export type KeyFields = Schemas['KeyFields'];
export type FieldShape = Schemas['FieldShape'];
/** A sentence of a guide, and whether it was checked at the exchange. */
export type GuideText = Schemas['GuideText'];
export type Site = Schemas['Site'];
export type Instrument = Schemas['Instrument'];

export type Finding = Schemas['Finding'];

// API keys

export type Key = Schemas['KeyView'];
export type KeyPlace = Schemas['IntentBody'];
export type KeyIntent = Schemas['IntentView'];
export type SealedUpload = Schemas['SealedBody'];
export type KeyCheck = Schemas['KeyCheck'];
export type KeyAdvice = Schemas['KeyAdvice'];
export type KeyFacts = Schemas['KeyFacts'];
export type Balance = Schemas['Balance'];

// Templates and the catalog

export type Template = Schemas['TemplateView'];
export type TemplateDocument = Schemas['TemplateDocument'];
export type TemplateCheck = Schemas['TemplateCheck'];
export type DocumentProblem = Schemas['FieldProblem'];
export type Combination = Schemas['Combination'];
export type ComponentSpec = Schemas['ComponentSpec'];
export type ExitSpec = Schemas['ExitSpec'];
export type SessionSpec = Schemas['SessionSpec'];
export type ParameterValue = Schemas['ParameterValue'];
export type LadderStep = Schemas['LadderStep'];
export type Catalog = Schemas['CatalogView'];
export type ComponentEntry = Schemas['ComponentEntry'];
export type ExitEntry = Schemas['ExitEntry'];
export type ParameterEntry = Schemas['ParameterEntry'];

// Bots

export type Bot = Schemas['BotView'];
export type NewBot = Schemas['NewBotBody'];
export type BotChange = Schemas['BotChangeBody'];
export type BotSettings = Schemas['BotSettings'];
export type Sizing = Schemas['Sizing'];
export type Position = Schemas['PositionView'];
export type BotCommand = Schemas['CommandView'];
export type StopBody = Schemas['StopBody'];
export type Deployment = Schemas['DeploymentView'];
export type Decision = Schemas['DecisionView'];
export type Order = Schemas['OrderView'];
export type Fill = Schemas['FillView'];
export type Candle = Schemas['CandleView'];
export type ChartData = Schemas['Chart'];
export type WhyStep = Schemas['WhyStep'];

// Recorded candles and backtests

export type RecordedCandles = Schemas['RecordedCandles'];
export type CandleFetch = Schemas['CandleFetch'];
export type NewCandleFetch = Schemas['NewCandleFetch'];
export type JobState = Schemas['JobState'];
export type Backtest = Schemas['Backtest'];
export type BacktestMarket = Schemas['Place'];
export type NewBacktest = Schemas['NewBacktest'];
export type BacktestCheck = Schemas['BacktestCheck'];
export type BacktestResult = Schemas['BacktestResult'];
export type BacktestMetrics = Schemas['BacktestMetrics'];
export type BacktestMonth = Schemas['ResultMonth'];
export type BacktestTrade = Schemas['BacktestTrade'];
export type BacktestComparison = Schemas['BacktestComparison'];

// Trades, dashboard, feed

export type Trade = Schemas['TradeView'];
export type TradeDetail = Schemas['TradeDetail'];
export type Dashboard = Schemas['Dashboard'];
export type Activity = Schemas['EventView'];

/** A page of a list that goes on; every page of the schema has this form. */
export type Page<T> = Omit<Schemas['Page_EventView'], 'items'> & { items: T[] };
