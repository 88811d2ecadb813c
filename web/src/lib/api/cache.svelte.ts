// What the server said, by address. One request per address at a time, shared by everybody who shows it; live events
// patch the stored answers in place. The server is the truth: nothing here invents data.

import type { Address } from './address';
import { call } from './client';
import { asProblem, isCanceled, type Problem } from './problem';

export type Fetcher = (path: string, signal: AbortSignal) => Promise<unknown>;

/** One address and everything known about it. Read its fields in markup; they are reactive. */
export class Entry<T> {
  readonly path: string;
  data = $state.raw<T | undefined>(undefined);
  problem = $state.raw<Problem | null>(null);
  loading = $state(false);
  /** When the data last came from the server or from an event; null while unknown. */
  updatedAt = $state<number | null>(null);
  /** When the present failure began; null while all is well. */
  failingSince = $state<number | null>(null);
  users = 0;
  stale = false;
  #flight: { promise: Promise<void>; abort: AbortController } | null = null;
  readonly #fetcher: Fetcher;

  constructor(path: string, fetcher: Fetcher) {
    this.path = path;
    this.#fetcher = fetcher;
  }

  /** Asks the server; a request already under way is shared. */
  refresh(): Promise<void> {
    if (this.#flight) return this.#flight.promise;
    const abort = new AbortController();
    this.loading = true;
    const promise = this.#run(abort.signal).finally(() => {
      this.#flight = null;
      this.loading = false;
    });
    this.#flight = { promise, abort };
    return promise;
  }

  async #run(signal: AbortSignal): Promise<void> {
    this.stale = false;
    try {
      this.set((await this.#fetcher(this.path, signal)) as T);
    } catch (error) {
      const problem = asProblem(error);
      if (isCanceled(problem)) return;
      this.problem = problem;
      this.failingSince ??= Date.now();
    }
  }

  /** New data, from an answer, an event or a change that the server confirmed. */
  set(data: T): void {
    this.data = data;
    this.problem = null;
    this.failingSince = null;
    this.updatedAt = Date.now();
  }

  /** Changes the data if there is any. */
  patch(change: (data: T) => T): void {
    if (this.data !== undefined) this.set(change(this.data));
  }

  /** Gives up a request that nobody waits for any more. */
  cancel(): void {
    this.#flight?.abort.abort();
  }
}

/** All addresses asked so far. */
export class Cache {
  readonly #entries = new Map<string, Entry<unknown>>();
  readonly #fetcher: Fetcher;
  readonly #keep: number;

  constructor(fetcher: Fetcher, keep = 60) {
    this.#fetcher = fetcher;
    this.#keep = keep;
  }

  /** The entry of an address, made when first asked for. */
  entry<T>(path: string): Entry<T> {
    let found = this.#entries.get(path);
    if (!found) {
      found = new Entry<unknown>(path, this.#fetcher);
      this.#entries.set(path, found);
      this.#evict();
    }
    return found as Entry<T>;
  }

  /** Entries whose address (with or without query) equals or lies below the given one. */
  matching(path: string): Entry<unknown>[] {
    return [...this.#entries.values()].filter((entry) => {
      const bare = entry.path.split('?')[0] ?? '';
      return bare === path || bare.startsWith(`${path}/`);
    });
  }

  /** Entries of exactly this address, with any query. */
  exactly<T>(path: string): Entry<T>[] {
    return [...this.#entries.values()].filter((entry) => entry.path.split('?')[0] === path) as Entry<T>[];
  }

  /** Shown entries are asked again now, others when next shown. */
  invalidate(path: string): void {
    for (const entry of this.matching(path)) this.outdate(entry);
  }

  /** After a gap in the event stream nothing can be trusted. */
  invalidateAll(): void {
    for (const entry of this.#entries.values()) this.outdate(entry);
  }

  /** One entry is not current any more: asked again now if it is shown, else when it is next shown. */
  outdate(entry: Entry<unknown>): void {
    entry.stale = true;
    if (entry.users > 0) void entry.refresh();
  }

  /** Forgets everything, at sign-out. */
  clear(): void {
    for (const entry of this.#entries.values()) entry.cancel();
    this.#entries.clear();
  }

  #evict(): void {
    if (this.#entries.size <= this.#keep) return;
    for (const [path, entry] of this.#entries) {
      if (this.#entries.size <= this.#keep) return;
      if (entry.users === 0) this.#entries.delete(path);
    }
  }
}

export const cache = new Cache((path, signal) => call('GET', path, undefined, { signal }));

/**
 * Shows an address in the calling component: asks when it is new, stale or older than `maxAgeMs`.
 * Give a function, so that the address may change with the route; null asks nothing.
 */
export function useQuery<T>(
  path: () => Address<T> | null,
  maxAgeMs = 30_000,
): { readonly current: Entry<T> } {
  const idle = new Entry<T>('', () => Promise.resolve(undefined));
  const current = $derived.by(() => {
    const address = path();
    return address === null ? idle : cache.entry<T>(address);
  });
  $effect(() => {
    const entry = current;
    if (entry === idle) return;
    entry.users += 1;
    const old = entry.updatedAt === null || Date.now() - entry.updatedAt > maxAgeMs;
    if (entry.stale || old) void entry.refresh();
    return () => {
      entry.users -= 1;
    };
  });
  return {
    get current() {
      return current;
    },
  };
}
