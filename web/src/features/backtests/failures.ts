// What to do about a run that ended without a result, or a finding of one that did. The fact itself is the server's
// sentence; here is only the next step.

export interface Remedy {
  text: string;
  /** What the page offers: fetching candles, changing the run, opening the template. Null: nothing to press. */
  step: 'fetch' | 'change' | 'template' | null;
}

const REMEDIES: Record<string, Remedy> = {
  BT_NO_DATA: { text: 'Fetch the candles of this market and range, then run it again.', step: 'fetch' },
  BT_DATA_GAPS: {
    text: 'Fetch the missing candles, or choose a range without the gaps. Nothing was traded inside them.',
    step: 'fetch',
  },
  BT_DATA_INVALID: { text: 'Fetch or import the candles of this market again.', step: 'fetch' },
  BT_RANGE_TOO_SHORT: {
    text: 'Choose a longer range: the components need history before the first decision.',
    step: 'change',
  },
  BT_COMPONENT_UNSUPPORTED: {
    text: 'Run it with these components as neutral, or use a template that needs candles only.',
    step: 'change',
  },
  BT_NO_TRADES: {
    text: 'See below what blocked the entries; a lower threshold or a longer range may bring some.',
    step: 'change',
  },
  BT_LIMIT_EXCEEDED: { text: 'Choose a shorter range or a longer timeframe.', step: 'change' },
  BT_TEMPLATE_INVALID: { text: 'Correct the template, then run it again.', step: 'template' },
  BT_EQUITY_INVALID: { text: 'Start with more than zero.', step: 'change' },
  BT_EXCHANGE_REFUSED: { text: 'Change size, leverage or equity.', step: 'change' },
  BT_STOP_BEYOND_LIQUIDATION: {
    text: 'Lower the leverage or move the stop closer: the position is liquidated before the stop is reached.',
    step: 'change',
  },
  BT_OVERFLOW: { text: 'Start with less equity or a smaller size.', step: 'change' },
  BT_SERVER_ENDED: { text: 'Run it again.', step: 'change' },
  LIQUIDATED: { text: 'Lower the leverage.', step: 'change' },
};

/** The next step for a code; an unknown one offers to change the run. */
export function remedy(code: string): Remedy {
  return REMEDIES[code] ?? { text: '', step: 'change' };
}

/** Findings of a completed run that ask for another one; the others only state what was assumed. */
const TO_CHANGE = ['BT_NO_TRADES', 'BT_STOP_BEYOND_LIQUIDATION', 'LIQUIDATED', 'BT_OVERFLOW'];

/** The next step after a finding of a completed run; empty when there is none. */
export function findingRemedy(code: string): string {
  return TO_CHANGE.includes(code) ? remedy(code).text : '';
}
