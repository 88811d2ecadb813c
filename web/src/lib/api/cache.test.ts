import { describe, expect, it, vi } from 'vitest';
import { Cache } from './cache.svelte';
import { Problem } from './problem';

const tick = (): Promise<void> => new Promise((resolve) => queueMicrotask(resolve));

describe('cache', () => {
  it('asks an address once for everybody who waits', async () => {
    const fetcher = vi.fn(async () => {
      await tick();
      return [1];
    });
    const cache = new Cache(fetcher);
    const entry = cache.entry<number[]>('/keys');
    await Promise.all([entry.refresh(), cache.entry('/keys').refresh()]);
    expect(fetcher).toHaveBeenCalledTimes(1);
    expect(entry.data).toEqual([1]);
    expect(entry.loading).toBe(false);
    await entry.refresh();
    expect(fetcher).toHaveBeenCalledTimes(2);
  });
  it('keeps the last data when a later request fails, and says since when', async () => {
    let fail = false;
    const cache = new Cache(() =>
      fail ? Promise.reject(new Problem({ status: 500, code: 'X', title: 'x' })) : Promise.resolve('a'),
    );
    const entry = cache.entry<string>('/x');
    await entry.refresh();
    fail = true;
    await entry.refresh();
    expect(entry.data).toBe('a');
    expect(entry.problem?.code).toBe('X');
    const since = entry.failingSince;
    expect(since).not.toBeNull();
    await entry.refresh();
    expect(entry.failingSince).toBe(since);
    fail = false;
    await entry.refresh();
    expect(entry.problem).toBeNull();
    expect(entry.failingSince).toBeNull();
  });
  it('finds addresses with queries and below, but not look-alikes', () => {
    const cache = new Cache(() => Promise.resolve(null));
    ['/bots', '/bots/1', '/bots/1/decisions?limit=5', '/botsy', '/trades?bot_id=1'].forEach((path) =>
      cache.entry(path),
    );
    expect(cache.matching('/bots/1').map((entry) => entry.path)).toEqual([
      '/bots/1',
      '/bots/1/decisions?limit=5',
    ]);
    expect(cache.exactly('/bots').map((entry) => entry.path)).toEqual(['/bots']);
    expect(cache.exactly('/trades').map((entry) => entry.path)).toEqual(['/trades?bot_id=1']);
  });
  it('asks shown entries again after a gap and leaves hidden ones for later', async () => {
    const asked: string[] = [];
    const cache = new Cache((path) => {
      asked.push(path);
      return Promise.resolve(path);
    });
    const shown = cache.entry('/shown');
    const hidden = cache.entry('/hidden');
    shown.users = 1;
    cache.invalidateAll();
    await tick();
    expect(asked).toEqual(['/shown']);
    expect(hidden.stale).toBe(true);
  });
  it('patches only what is there', () => {
    const cache = new Cache(() => Promise.resolve(null));
    const entry = cache.entry<number[]>('/list');
    entry.patch((list) => [...list, 1]);
    expect(entry.data).toBeUndefined();
    entry.set([0]);
    entry.patch((list) => [...list, 1]);
    expect(entry.data).toEqual([0, 1]);
  });
  it('stays small without dropping what is shown', () => {
    const cache = new Cache(() => Promise.resolve(null), 3);
    cache.entry('/0').users = 1;
    for (let n = 1; n < 10; n += 1) cache.entry(`/${n}`);
    expect(cache.matching('/0')).toHaveLength(1);
    expect(cache.matching('/1')).toHaveLength(0);
  });
});
