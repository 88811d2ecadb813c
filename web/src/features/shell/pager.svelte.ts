// Older pages behind the first one. The first page is a stored answer that events keep fresh; older ones are appended.

import { read, type Address } from '../../lib/api/address';
import { asProblem, type Problem } from '../../lib/api/problem';
import type { Page } from '../../lib/api/types';

const MOST_ROWS = 500;

export class Pager<T> {
  older = $state.raw<readonly T[]>([]);
  busy = $state(false);
  problem = $state.raw<Problem | null>(null);
  #next = $state<string | null | undefined>(undefined);
  readonly #page: (before: string) => Address<Page<T>>;
  readonly #idOf: (item: T) => string;

  /** `page` gives the address of the page that begins behind a place. */
  constructor(page: (before: string) => Address<Page<T>>, idOf: (item: T) => string) {
    this.#page = page;
    this.#idOf = idOf;
  }

  /** All rows known, newest first, each once. */
  merge(first: Page<T> | undefined): T[] {
    const seen = new Set<string>();
    return [...(first?.items ?? []), ...this.older].filter((item) => {
      const id = this.#idOf(item);
      if (seen.has(id)) return false;
      seen.add(id);
      return true;
    });
  }

  /** Is there an older page, and room for it? */
  hasMore(first: Page<T> | undefined): boolean {
    const next = this.#next === undefined ? (first?.next ?? null) : this.#next;
    return next !== null && this.older.length < MOST_ROWS;
  }

  async more(first: Page<T> | undefined): Promise<void> {
    const before = this.#next === undefined ? (first?.next ?? null) : this.#next;
    if (before === null || this.busy) return;
    this.busy = true;
    this.problem = null;
    try {
      const page = await read(this.#page(before));
      this.older = [...this.older, ...page.items];
      this.#next = page.next;
    } catch (error) {
      this.problem = asProblem(error);
    } finally {
      this.busy = false;
    }
  }
}
