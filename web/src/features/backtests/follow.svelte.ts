// Jobs tell how far they are through the event stream. An event can still be overtaken by an older answer, and nothing
// comes after a job's last one, so whoever watches a job also asks now and then.

import type { Entry } from '../../lib/api/cache.svelte';

const ASK_EVERY_MS = 5_000;

/** Asks again while `active`, as long as the calling component is shown. */
export function follow<T>(query: { readonly current: Entry<T> }, active: () => boolean): void {
  const on = $derived(active());
  $effect(() => {
    if (!on) return;
    const timer = setInterval(() => void query.current.refresh(), ASK_EVERY_MS);
    return () => clearInterval(timer);
  });
}
