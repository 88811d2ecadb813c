// Older pages behind the first one. The first page is a stored answer that events keep fresh; older ones are appended.

import { get, withQuery } from '../../lib/api/client';
import { asProblem, type Problem } from '../../lib/api/problem';
import type { Page } from '../../lib/api/types';

const MOST_ROWS = 500;

export class Pager<T> {
  older = $state.raw<readonly T[]>([]);
  busy = $state(false);
  problem = $state.raw<Problem | null>(null);
  #next = $state<string | number | null | undefined>(undefined);
  readonly #path: string;
  readonly #query: Record<string, string | number | null>;
  readonly #idOf: (item: T) => string;

  constructor(path: string, query: Record<string, string | number | null>, idOf: (item: T) => string) {
    this.#path = path;
    this.#query = query;
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
      const page = await get<Page<T>>(withQuery(this.#path, { ...this.#query, before }));
      this.older = [...this.older, ...page.items];
      this.#next = page.next;
    } catch (error) {
      this.problem = asProblem(error);
    } finally {
      this.busy = false;
    }
  }
}
