// Reads the engine's own records inside decisions and trades. A record from a newer engine that does not fit is shown
// raw by the pages instead of being guessed at.

import * as v from 'valibot';

const number = v.nullable(v.number());
const decimal = v.nullable(v.string());

const verdict = v.variant('kind', [
  v.object({ kind: v.literal('warming_up') }),
  v.object({ kind: v.literal('no_data') }),
  v.object({ kind: v.literal('signal'), direction: v.picklist(['long', 'short', 'neutral']) }),
  v.object({
    kind: v.literal('check'),
    long: v.picklist(['pass', 'block']),
    short: v.picklist(['pass', 'block']),
  }),
]);

const reading = v.object({
  component: v.number(),
  kind: v.string(),
  role: v.picklist(['signal', 'filter', 'entry_guard', 'risk_gate']),
  reading: v.object({ verdict, value: number, limit: number }),
});

const block = v.object({
  reason: v.string(),
  component: v.nullable(v.number()),
  value: number,
  limit: number,
});

const decisionRecord = v.object({
  close: v.string(),
  decided_at: v.optional(v.number()),
  readings: v.array(reading),
  score: v.string(),
  threshold: v.string(),
  wanted: v.picklist(['long', 'short', 'neutral']),
  blocks: v.array(block),
  headline: v.string(),
  done: v.unknown(),
});

const tradeRecord = v.object({
  candles: v.optional(v.number()),
  initial_stop: v.optional(decimal),
  target: v.optional(decimal),
  r_multiple: v.optional(decimal),
  adverse_pct: v.optional(decimal),
  favorable_pct: v.optional(decimal),
  slippage_in_bps: v.optional(decimal),
  slippage_out_bps: v.optional(decimal),
  entry_decision: v.optional(v.nullable(v.unknown())),
});

export type DecisionRecord = v.InferOutput<typeof decisionRecord>;
export type TradeRecord = v.InferOutput<typeof tradeRecord>;
export type Reading = v.InferOutput<typeof reading>;

/** The engine's decision record, or null when it has another shape. */
export function readDecision(record: unknown): DecisionRecord | null {
  const read = v.safeParse(decisionRecord, record);
  return read.success ? read.output : null;
}

/** The engine's trade record, or null when it has another shape. */
export function readTrade(record: unknown): TradeRecord | null {
  const read = v.safeParse(tradeRecord, record);
  return read.success ? read.output : null;
}

/** What a component said, as sign, word and tone. */
export function verdictWord(of: Reading['reading']['verdict']): { sign: string; word: string; tone: string } {
  switch (of.kind) {
    case 'warming_up':
      return { sign: '◌', word: 'warming up', tone: 'muted' };
    case 'no_data':
      return { sign: '–', word: 'no data', tone: 'muted' };
    case 'signal':
      if (of.direction === 'neutral') return { sign: '0', word: 'neutral', tone: 'muted' };
      return of.direction === 'long'
        ? { sign: '+1', word: 'long', tone: 'profit' }
        : { sign: '−1', word: 'short', tone: 'loss' };
    case 'check':
      if (of.long === of.short) {
        return of.long === 'pass'
          ? { sign: '✓', word: 'passes', tone: 'ok' }
          : { sign: '✗', word: 'blocks', tone: 'danger' };
      }
      return { sign: '◐', word: of.long === 'pass' ? 'passes long only' : 'passes short only', tone: 'warn' };
  }
}
