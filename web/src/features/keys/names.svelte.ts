// Names of exchanges, from the server's list.

import { cache } from '../../lib/api/cache.svelte';
import type { ExchangeEntry } from '../../lib/api/types';
import { humanize } from '../../lib/text/words';

/** The exchange's own name, or a readable form of its id while the list is not there yet. */
export function exchangeName(id: string): string {
  const entry = cache.entry<ExchangeEntry[]>('/exchanges');
  if (entry.data === undefined && !entry.loading && !entry.problem)
    queueMicrotask(() => void entry.refresh());
  return entry.data?.find((exchange) => exchange.exchange === id)?.name ?? humanize(id);
}
