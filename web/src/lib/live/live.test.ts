import { describe, expect, it } from 'vitest';
import { Cache } from '../api/cache.svelte';
import type {
  Activity,
  Backtest,
  Bot,
  CandleFetch,
  Decision,
  Key,
  Page,
  Position,
  Trade,
} from '../api/types';
import { applyEvent, prepend, upsert } from './patch';
import { backoff, StreamReader, StreamRefused } from './reader';
import { createParser, type ServerEvent } from './sse';

describe('event stream text', () => {
  function parse(...pieces: string[]): { events: ServerEvent[]; comments: number } {
    const events: ServerEvent[] = [];
    let comments = 0;
    const parser = createParser(
      (event) => events.push(event),
      () => (comments += 1),
    );
    pieces.forEach((piece) => parser.push(piece));
    return { events, comments };
  }
  it('reads events cut anywhere', () => {
    const { events } = parse('id: 7\neve', 'nt: bot\ndata: {"a"', ':1}\n', '\n');
    expect(events).toEqual([{ id: '7', event: 'bot', data: '{"a":1}' }]);
  });
  it('joins data lines, keeps the id, counts comments, accepts CR LF cut in half', () => {
    const { events, comments } = parse(': beat\n\nid:1\r', '\ndata:a\r\ndata: b\r\n\r\n', 'data: c\n\n');
    expect(events).toEqual([
      { id: '1', event: 'message', data: 'a\nb' },
      { id: '1', event: 'message', data: 'c' },
    ]);
    expect(comments).toBe(1);
  });
});

/** A stream source driven by the test: every connection is a script of texts, "hang" or "refuse". */
function scripted(connections: string[][]) {
  let time = 0;
  const checks = new Set<() => void>();
  const asked: (string | null)[] = [];
  const source = {
    open(lastId: string | null, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
      asked.push(lastId);
      const script = connections.shift();
      if (!script) return Promise.reject(new TypeError('unreachable'));
      if (script[0] === 'refuse') return Promise.reject(new StreamRefused());
      const encoder = new TextEncoder();
      return Promise.resolve(
        new ReadableStream<Uint8Array>({
          async start(controller) {
            for (const text of script) {
              if (text === 'hang') {
                await new Promise<void>((resolve) => {
                  signal.addEventListener('abort', () => resolve());
                  time += 60_000;
                  queueMicrotask(() => checks.forEach((check) => check()));
                });
                controller.error(new Error('aborted'));
                return;
              }
              controller.enqueue(encoder.encode(text));
            }
            controller.close();
          },
        }),
      );
    },
    now: () => time,
    every(_ms: number, check: () => void) {
      checks.add(check);
      return () => checks.delete(check);
    },
  };
  const seen: string[] = [];
  const reader = new StreamReader(
    source,
    {
      onOpen: () => seen.push('open'),
      onEvent: (event) => seen.push(`${event.event} ${event.id}`),
      onSign: () => undefined,
      onGap: () => seen.push('gap'),
    },
    10_000,
  );
  return { reader, seen, asked };
}

describe('stream reader', () => {
  const stop = new AbortController().signal;
  it('resumes after the last id without a gap', async () => {
    const { reader, seen, asked } = scripted([
      ['id: 1\nevent: bot\ndata: 1\n\n'],
      ['id: 2\nevent: bot\ndata: 2\n\n'],
    ]);
    expect(await reader.run(stop)).toBe('ended');
    expect(await reader.run(stop)).toBe('ended');
    expect(asked).toEqual([null, '1']);
    expect(seen).toEqual(['open', 'bot 1', 'open', 'bot 2']);
  });
  it('reports a gap when there was no id to resume after', async () => {
    const { reader, seen } = scripted([[': beat\n\n'], [': beat\n\n']]);
    await reader.run(stop);
    await reader.run(stop);
    expect(seen).toEqual(['open', 'open', 'gap']);
  });
  it('reports a gap when the server forgot, and goes on from its id', async () => {
    const { reader, seen, asked } = scripted([
      ['id: 5\nevent: reset\ndata: {}\n\nid: 6\nevent: bot\ndata: 1\n\n'],
      [],
    ]);
    reader.lastId = '1';
    await reader.run(stop);
    await reader.run(stop);
    expect(seen).toEqual(['open', 'gap', 'bot 6', 'open']);
    expect(asked).toEqual(['1', '6']);
  });
  it('does not take the same event twice', async () => {
    const { reader, seen } = scripted([['id: 3\nevent: bot\ndata: 1\n\nid: 3\nevent: bot\ndata: 1\n\n']]);
    await reader.run(stop);
    expect(seen).toEqual(['open', 'bot 3']);
  });
  it('gives up a silent stream', async () => {
    const { reader } = scripted([[': beat\n\n', 'hang']]);
    expect(await reader.run(stop)).toBe('silent');
  });
  it('tells a refusal from an absent server', async () => {
    const { reader } = scripted([['refuse']]);
    expect(await reader.run(stop)).toBe('refused');
    expect(await reader.run(stop)).toBe('unreachable');
  });
  it('waits longer after each failure, up to a bound', () => {
    expect([0, 1, 2, 3, 4, 99].map(backoff)).toEqual([500, 1_000, 2_000, 5_000, 10_000, 10_000]);
  });
});

describe('patches', () => {
  const cacheOf = (answers: Record<string, unknown>): Cache => {
    const cache = new Cache(() => Promise.reject(new Error('not asked')));
    for (const [path, data] of Object.entries(answers)) cache.entry(path).set(data);
    return cache;
  };
  const decision = (open_time: number, code = 'NO_SIGNAL'): Decision =>
    ({
      bot_id: 'b1',
      symbol: 'BTCUSDT',
      timeframe: '1m',
      code,
      candle: { open_time },
    }) as unknown as Decision;

  it('replaces in place and prepends once', () => {
    expect(
      upsert(
        [
          { id: 'a', n: 1 },
          { id: 'b', n: 1 },
        ],
        { id: 'a', n: 2 },
      ),
    ).toEqual([
      { id: 'a', n: 2 },
      { id: 'b', n: 1 },
    ]);
    const page: Page<{ id: string; n: number }> = { items: [{ id: 'a', n: 1 }], next: null };
    const twice = prepend(
      prepend(page, { id: 'b', n: 1 }, (item) => item.id),
      { id: 'b', n: 2 },
      (item) => item.id,
    );
    expect(twice.items).toEqual([
      { id: 'b', n: 2 },
      { id: 'a', n: 1 },
    ]);
  });
  it('adds decisions only to lists that would contain them', () => {
    const empty = { items: [], next: null };
    const cache = cacheOf({
      '/bots/b1/decisions?symbol=BTCUSDT': empty,
      '/bots/b1/decisions?symbol=ETHUSDT': empty,
      '/bots/b1/decisions?before=5': empty,
      '/bots/b2/decisions': empty,
    });
    applyEvent(cache, 'decision', decision(60_000));
    const length = (path: string): number | undefined => cache.entry<Page<Decision>>(path).data?.items.length;
    expect(length('/bots/b1/decisions?symbol=BTCUSDT')).toBe(1);
    expect(length('/bots/b1/decisions?symbol=ETHUSDT')).toBe(0);
    expect(length('/bots/b1/decisions?before=5')).toBe(0);
    expect(length('/bots/b2/decisions')).toBe(0);
  });
  it('keeps trades apart by bot and environment', () => {
    const cache = cacheOf({
      '/trades?environment=live': { items: [], next: null },
      '/trades?environment=simulated&bot_id=b1': { items: [], next: null },
    });
    applyEvent(cache, 'trade', { id: 't', bot_id: 'b1', environment: 'simulated', symbol: 'X' } as Trade);
    expect(cache.entry<Page<Trade>>('/trades?environment=live').data?.items).toHaveLength(0);
    expect(cache.entry<Page<Trade>>('/trades?environment=simulated&bot_id=b1').data?.items).toHaveLength(1);
  });
  it('updates a bot in the list and on its page', () => {
    const cache = cacheOf({
      '/bots': [{ id: 'b1', status: 'online', positions: [] }],
      '/bots/b1': { id: 'b1', status: 'online' },
    });
    applyEvent(cache, 'bot', { id: 'b1', status: 'paused', positions: [] });
    expect(cache.entry<Bot[]>('/bots').data?.[0]?.status).toBe('paused');
    expect(cache.entry<Bot>('/bots/b1').data?.status).toBe('paused');
  });
  it('closes positions that reached zero, and only those', () => {
    const position = { bot_id: 'b1', symbol: 'BTCUSDT', size: '0.1' } as Position;
    const other = { bot_id: 'b2', symbol: 'BTCUSDT', size: '1' } as Position;
    const cache = cacheOf({ '/positions': [position, other] });
    applyEvent(cache, 'position', { ...position, size: '0.2' });
    expect(cache.entry<Position[]>('/positions').data?.[0]?.size).toBe('0.2');
    applyEvent(cache, 'position', { ...position, size: '0.000' });
    expect(cache.entry<Position[]>('/positions').data).toEqual([other]);
  });
  it('ticks the steps of a connection test', () => {
    const key = { id: 'k', verification: { state: 'testing', checks: [], balances: [], checked_at: null } };
    const cache = cacheOf({ '/keys': [key], '/keys/k': key });
    const check = { step: 'clock', result: { result: 'passed' }, detail: '', venue_code: null };
    applyEvent(cache, 'key_check', { key_id: 'k', check });
    applyEvent(cache, 'key_check', { key_id: 'k', ...check, detail: 'again' });
    expect(cache.entry<Key>('/keys/k').data?.verification.checks).toHaveLength(1);
    expect(cache.entry<Key[]>('/keys').data?.[0]?.verification.checks[0]?.detail).toBe('again');
  });
  it('moves a backtest on and keeps the document that only the page asked for', () => {
    const run = { id: 'r', state: 'queued', document: { name: 'Mine' } };
    const cache = cacheOf({ '/backtests?limit=50': { items: [run], next: null }, '/backtests/r': run });
    applyEvent(cache, 'backtest', { id: 'r', state: 'running' });
    applyEvent(cache, 'backtest', { id: 'other', state: 'queued' });
    expect(cache.entry<Backtest>('/backtests/r').data).toMatchObject({
      state: 'running',
      document: { name: 'Mine' },
    });
    const items = cache.entry<Page<Backtest>>('/backtests?limit=50').data?.items;
    expect(items?.map(({ id, state }) => [id, state])).toEqual([
      ['other', 'queued'],
      ['r', 'running'],
    ]);
  });
  it('knows of new candles when fetching has ended, not before', () => {
    const cache = cacheOf({ '/candles': [], '/candles/fetches?limit=5': { items: [], next: null } });
    applyEvent(cache, 'candle_fetch', { id: 'f', state: 'running', finished_at: null });
    expect(cache.entry('/candles').stale).toBe(false);
    applyEvent(cache, 'candle_fetch', { id: 'f', state: 'completed', finished_at: 1 });
    expect(cache.entry('/candles').stale).toBe(true);
    expect(cache.entry<Page<CandleFetch>>('/candles/fetches?limit=5').data?.items).toHaveLength(1);
    expect(cache.entry('/candles/fetches?limit=5').stale).toBe(false);
  });
  it('puts activity in front and ignores what it does not know', () => {
    const cache = cacheOf({ '/events?limit=20': { items: [{ id: 'e1' }], next: null } });
    applyEvent(cache, 'event', { id: 'e2', bot: null } as unknown as Activity);
    applyEvent(cache, 'something_new', { id: 'x' });
    expect(cache.entry<Page<Activity>>('/events?limit=20').data?.items.map((item) => item.id)).toEqual([
      'e2',
      'e1',
    ]);
  });
});
