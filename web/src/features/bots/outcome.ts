// What kind of outcome a reason code is, for patterns and filters.

export type Outcome = 'acted' | 'waiting' | 'blocked' | 'limited' | 'trouble';

const WAITING = new Set([
  'NO_SIGNAL',
  'POSITION_OPEN',
  'ORDER_PENDING',
  'WARMING_UP',
  'RECONCILING',
  'BOT_DEPLOYING',
]);
const BLOCKED = new Set([
  'OUTSIDE_SESSION',
  'DIRECTION_DISABLED',
  'FILTER_BLOCKED',
  'GUARD_BLOCKED',
  'GATE_BLOCKED',
  'DATA_MISSING',
  'BOT_PAUSED',
  'KEY_INACTIVE',
]);

/** The kind of a decision's headline. Unknown codes count as trouble, so that they are looked at. */
export function outcomeKind(code: string): Outcome {
  if (code === 'ENTERED' || code.startsWith('EXIT_')) return 'acted';
  if (WAITING.has(code)) return 'waiting';
  if (BLOCKED.has(code)) return 'blocked';
  if (code.startsWith('LIMIT_') || code === 'BELOW_MINIMUM' || code === 'INSUFFICIENT_BALANCE')
    return 'limited';
  return 'trouble';
}
