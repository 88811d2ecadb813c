// The story of a trade in order: decided, sent, answered, filled. Computes only differences of times.

import type { TradeDetail } from '../../lib/api/types';
import { humanize } from '../../lib/text/words';

export interface TimelineStep {
  at: number;
  text: string;
  /** Milliseconds since the step that it answers; null when it answers none. */
  after: number | null;
}

/** Every recorded step, oldest first. */
export function timeline(trade: Pick<TradeDetail, 'orders' | 'fills'>): TimelineStep[] {
  const steps: TimelineStep[] = [];
  for (const order of trade.orders) {
    const what = humanize(order.order.purpose).toLowerCase();
    steps.push({ at: order.decided_at, text: `Decided: ${what}`, after: null });
    if (order.sent_at !== null) {
      steps.push({ at: order.sent_at, text: `Sent: ${what}`, after: order.sent_at - order.decided_at });
    }
    if (order.acknowledged_at !== null) {
      const word = order.refusal ? 'Refused' : 'Accepted';
      const from = order.sent_at ?? order.decided_at;
      steps.push({
        at: order.acknowledged_at,
        text: `${word}: ${what}`,
        after: order.acknowledged_at - from,
      });
    }
  }
  for (const fill of trade.fills) {
    const what = fill.purpose ? `${humanize(fill.purpose).toLowerCase()} ` : '';
    steps.push({
      at: fill.fill.at,
      text: `Filled: ${what}${fill.fill.quantity} at ${fill.fill.price}`,
      after: null,
    });
  }
  return steps.toSorted((a, b) => a.at - b.at);
}
