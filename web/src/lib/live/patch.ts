// How live events change stored answers. Pure: takes the cache, says nothing to the network itself.
// Objects replace their older selves by id; lists ordered newest first gain entries in front, once.

import type { Cache } from '../api/cache.svelte';
import type {
  Activity,
  Backtest,
  Bot,
  BotCommand,
  CandleFetch,
  Decision,
  Fill,
  Key,
  KeyCheck,
  Order,
  Page,
  Position,
  Trade,
} from '../api/types';

const LONGEST_LIST = 500;

interface Identified {
  id: string;
}

/** Replaces the element of the same id in place, or appends it. */
export function upsert<T extends Identified>(list: readonly T[], item: T): T[] {
  const at = list.findIndex((candidate) => candidate.id === item.id);
  return at === -1 ? [...list, item] : list.with(at, item);
}

/** Puts an item in front of a newest-first page; an item already there is replaced where it is. */
export function prepend<T>(page: Page<T>, item: T, idOf: (item: T) => string): Page<T> {
  const id = idOf(item);
  const at = page.items.findIndex((candidate) => idOf(candidate) === id);
  if (at !== -1) return { ...page, items: page.items.with(at, item) };
  return { ...page, items: [item, ...page.items].slice(0, LONGEST_LIST) };
}

export const decisionId = (decision: Decision): string =>
  `${decision.symbol} ${decision.timeframe} ${decision.candle.open_time}`;
export const orderId = (order: Order): string => order.order.client_id;
export const fillId = (fill: Fill): string => fill.fill.fill_id;
const ownId = (item: Identified): string => item.id;

/** Does a newest-first list with these filters in its address take this object? */
function fits(
  path: string,
  object: { bot_id?: string; symbol?: string; environment?: string | null },
): boolean {
  const query = new URLSearchParams(path.split('?')[1] ?? '');
  if (query.has('before')) return false;
  const matches = (name: string, value: string | null | undefined): boolean => {
    const wanted = query.get(name);
    return wanted === null || wanted === value;
  };
  return (
    matches('bot_id', object.bot_id) &&
    matches('symbol', object.symbol) &&
    matches('environment', object.environment)
  );
}

function prependEverywhere<T extends object>(
  cache: Cache,
  path: string,
  item: T,
  idOf: (item: T) => string,
  facts: { symbol?: string; environment?: string | null } = {},
): void {
  const botId = 'bot_id' in item && typeof item.bot_id === 'string' ? { bot_id: item.bot_id } : {};
  const object = { ...facts, ...botId };
  for (const entry of cache.exactly<Page<T>>(path)) {
    if (fits(entry.path, object)) entry.patch((page) => prepend(page, item, idOf));
  }
}

/** Applies one event. Unknown names are ignored: a newer server may tell more than this page knows. */
export function applyEvent(cache: Cache, name: string, data: unknown): void {
  switch (name) {
    case 'bot':
      return applyBot(cache, data as Bot & { deleted?: boolean });
    case 'key':
      return applyKey(cache, data as Key & { deleted?: boolean });
    case 'key_check':
      return applyKeyCheck(cache, data as { key_id: string; check?: KeyCheck } & Partial<KeyCheck>);
    case 'decision': {
      const decision = data as Decision;
      prependEverywhere(cache, `/bots/${decision.bot_id}/decisions`, decision, decisionId, decision);
      cache.invalidate(`/bots/${decision.bot_id}/candles`);
      cache.invalidate(`/bots/${decision.bot_id}/why`);
      return;
    }
    case 'order': {
      const order = data as Order;
      return prependEverywhere(cache, `/bots/${order.bot_id}/orders`, order, orderId, {
        symbol: order.order.symbol,
      });
    }
    case 'fill': {
      const fill = data as Fill;
      prependEverywhere(cache, `/bots/${fill.bot_id}/fills`, fill, fillId, { symbol: fill.fill.symbol });
      cache.invalidate(`/bots/${fill.bot_id}/candles`);
      return;
    }
    case 'position':
      return applyPosition(cache, data as Position);
    case 'trade': {
      const trade = data as Trade;
      prependEverywhere(cache, '/trades', trade, ownId as (trade: Trade) => string, trade);
      cache.invalidate('/dashboard');
      return;
    }
    case 'equity':
      return cache.invalidate('/dashboard');
    case 'event': {
      const activity = data as Activity;
      prependEverywhere(cache, '/events', activity, ownId);
      if (activity.bot) prependEverywhere(cache, `/bots/${activity.bot.id}/events`, { ...activity }, ownId);
      return;
    }
    case 'command': {
      const command = data as BotCommand;
      return cache.invalidate(`/bots/${command.bot_id}/commands`);
    }
    case 'backtest':
      return applyBacktest(cache, data as Backtest);
    case 'candle_fetch': {
      const fetch = data as CandleFetch;
      prependEverywhere(cache, '/candles/fetches', fetch, ownId);
      for (const entry of cache.exactly<CandleFetch>(`/candles/fetches/${fetch.id}`)) entry.set(fetch);
      // Also what a canceled or failed one brought is there.
      if (fetch.finished_at !== null) for (const entry of cache.exactly('/candles')) cache.outdate(entry);
      return;
    }
    default:
      return;
  }
}

/** Events leave out the template's document; the one that is known stays. */
function applyBacktest(cache: Cache, run: Backtest): void {
  prependEverywhere(cache, '/backtests', run, ownId);
  for (const entry of cache.exactly<Backtest>(`/backtests/${run.id}`)) {
    entry.patch((known) => ({ ...known, ...run }));
  }
}

function applyBot(cache: Cache, bot: Bot & { deleted?: boolean }): void {
  for (const entry of cache.exactly<Bot[]>('/bots')) {
    entry.patch((bots) => (bot.deleted ? bots.filter((other) => other.id !== bot.id) : upsert(bots, bot)));
  }
  if (!bot.deleted) {
    for (const entry of cache.exactly<Bot>(`/bots/${bot.id}`)) entry.set(bot);
  }
  cache.invalidate(`/bots/${bot.id}/why`);
  cache.invalidate('/dashboard');
}

function applyKey(cache: Cache, key: Key & { deleted?: boolean }): void {
  for (const entry of cache.exactly<Key[]>('/keys')) {
    entry.patch((keys) => (key.deleted ? keys.filter((other) => other.id !== key.id) : upsert(keys, key)));
  }
  if (!key.deleted) for (const entry of cache.exactly<Key>(`/keys/${key.id}`)) entry.set(key);
}

/** One step of a running connection test: replaces the step of the same name, so that it ticks live. */
function applyKeyCheck(cache: Cache, event: { key_id: string; check?: KeyCheck } & Partial<KeyCheck>): void {
  const check = event.check ?? (event as KeyCheck);
  const change = (key: Key): Key => {
    const checks = key.verification.checks.filter((other) => other.step !== check.step);
    return { ...key, verification: { ...key.verification, state: 'testing', checks: [...checks, check] } };
  };
  for (const entry of cache.exactly<Key>(`/keys/${event.key_id}`)) entry.patch(change);
  for (const entry of cache.exactly<Key[]>('/keys')) {
    entry.patch((keys) => keys.map((key) => (key.id === event.key_id ? change(key) : key)));
  }
}

function applyPosition(cache: Cache, position: Position): void {
  const bot = position.bot_id;
  const same = (other: Position): boolean => other.symbol === position.symbol && other.bot_id === bot;
  const closed = /^-?0*(\.0*)?$/.test(position.size);
  for (const entry of cache.exactly<Position[]>('/positions')) {
    entry.patch((list) => {
      const at = list.findIndex(same);
      if (closed) return list.filter((other) => !same(other));
      return at === -1 ? [...list, position] : list.with(at, { ...list[at], ...position });
    });
  }
  const inBot = (list: Position[]): Position[] => {
    const others = list.filter((other) => other.symbol !== position.symbol);
    return closed ? others : [...others, position];
  };
  for (const entry of cache.exactly<Bot>(`/bots/${bot}`)) {
    entry.patch((value) => ({ ...value, positions: inBot(value.positions) }));
  }
  for (const entry of cache.exactly<Bot[]>('/bots')) {
    entry.patch((bots) =>
      bots.map((value) => (value.id === bot ? { ...value, positions: inBot(value.positions) } : value)),
    );
  }
}
