// Every call the pages make that changes something, one line each. The server's answer goes into the cache, so that the
// page shows what the server confirmed even before its event arrives.

import { prepend, upsert } from '../live/patch';
import { address, read, remove, send } from './address';
import { cache } from './cache.svelte';
import type {
  Backtest,
  Bot,
  BotChange,
  CandleFetch,
  Key,
  KeyPlace,
  NewBacktest,
  NewBot,
  NewCandleFetch,
  Page,
  SealedUpload,
  StopBody,
  Template,
  TemplateDocument,
} from './types';

function keep<T extends { id: string }>(base: string, object: T): T {
  for (const entry of cache.exactly<T[]>(base)) entry.patch((list) => upsert(list, object));
  cache.entry<T>(`${base}/${encodeURIComponent(object.id)}`).set(object);
  return object;
}

function drop(base: string, id: string): void {
  for (const entry of cache.exactly<{ id: string }[]>(base)) {
    entry.patch((list) => list.filter((item) => item.id !== id));
  }
}

/** The same for lists that come in pages, newest first. */
function keepPaged<T extends { id: string }>(base: string, object: T): T {
  for (const entry of cache.exactly<Page<T>>(base)) {
    if (!entry.path.includes('before=')) entry.patch((page) => prepend(page, object, (item) => item.id));
  }
  cache.entry<T>(`${base}/${encodeURIComponent(object.id)}`).set(object);
  return object;
}

function dropPaged(base: string, id: string): void {
  for (const entry of cache.exactly<Page<{ id: string }>>(base)) {
    entry.patch((page) => ({ ...page, items: page.items.filter((item) => item.id !== id) }));
  }
}

const keepKey = async (answer: Promise<Key>): Promise<Key> => keep('/keys', await answer);
const keepBot = async (answer: Promise<Bot>): Promise<Bot> => {
  const bot = keep('/bots', await answer);
  cache.invalidate('/keys');
  return bot;
};
const keepTemplate = async (answer: Promise<Template>): Promise<Template> => keep('/templates', await answer);

export const keys = {
  intent: (where: KeyPlace, label: string) =>
    send('post', '/keys/intents', {}, where, { action: `Add API key ${label}` }),
  /** The same without asking for a fresh proof: fails with REAUTH_REQUIRED instead. */
  intentIfFresh: (where: KeyPlace) => send('post', '/keys/intents', {}, where, { reverify: 'fail' }),
  store: (id: string, sealed: SealedUpload) =>
    keepKey(send('put', '/keys/{id}', { id }, sealed, { action: `Add API key ${sealed.label}` })),
  fetch: (id: string) => keepKey(read(address('/keys/{id}', { id }))),
  test: (id: string) => keepKey(send('post', '/keys/{id}/test', { id }, {})),
  rename: (id: string, label: string) => keepKey(send('patch', '/keys/{id}', { id }, { label })),
  activate: (id: string, active: boolean) => keepKey(send('patch', '/keys/{id}', { id }, { active })),
  instruments: (id: string, symbols: string[]) =>
    keepKey(send('put', '/keys/{id}/instruments', { id }, { symbols })),
  leaked: async (key: Pick<Key, 'id'>) => {
    const answer = await send('post', '/keys/{id}/leaked', { id: key.id }, {});
    if (answer.key) keep('/keys', answer.key);
    else drop('/keys', key.id);
    return answer;
  },
  remove: async (key: Pick<Key, 'id' | 'label'>) => {
    await remove('/keys/{id}', { id: key.id }, { action: `Delete API key ${key.label}` });
    drop('/keys', key.id);
  },
};

export const bots = {
  deploy: (bot: NewBot) => keepBot(send('post', '/bots', {}, bot, { action: `Deploy bot ${bot.label}` })),
  change: ({ id, label }: Pick<Bot, 'id' | 'label'>, change: BotChange) =>
    keepBot(send('patch', '/bots/{id}', { id }, change, { action: `Change bot ${label}` })),
  pause: (id: string) => send('post', '/bots/{id}/pause', { id }, {}),
  resume: (id: string) => send('post', '/bots/{id}/resume', { id }, {}),
  flatten: (id: string) => send('post', '/bots/{id}/flatten', { id }, {}),
  stop: (id: string, answer: StopBody) => send('post', '/bots/{id}/stop', { id }, answer),
  redeploy: (id: string) => send('post', '/bots/{id}/deploy', { id }, {}),
  remove: async ({ id, label }: Pick<Bot, 'id' | 'label'>) => {
    await remove('/bots/{id}', { id }, { action: `Delete bot ${label}` });
    drop('/bots', id);
    cache.invalidate('/keys');
  },
  /** After a command: what the server now says about the bot. */
  refresh: (id: string) => {
    cache.invalidate(`/bots/${encodeURIComponent(id)}`);
    cache.invalidate('/bots');
  },
};

export const templates = {
  create: (document: TemplateDocument) => keepTemplate(send('post', '/templates', {}, { document })),
  duplicate: (id: string, name?: string) =>
    keepTemplate(send('post', '/templates', {}, { duplicate_of: id, ...(name ? { name } : {}) })),
  save: (id: string, document: TemplateDocument) =>
    keepTemplate(send('put', '/templates/{id}', { id }, { document })),
  check: (document: TemplateDocument, signal?: AbortSignal) =>
    send('post', '/templates/check', {}, { document }, signal ? { signal } : {}),
  remove: async ({ id, name }: Pick<Template, 'id' | 'name'>) => {
    await remove('/templates/{id}', { id }, { action: `Delete template ${name}` });
    drop('/templates', id);
  },
};

export const backtests = {
  run: async (run: NewBacktest) => {
    const queued = keepPaged<Backtest>('/backtests', await send('post', '/backtests', {}, run));
    // It may have moved on before this answer came; whoever shows it asks again.
    cache.entry(`/backtests/${encodeURIComponent(queued.id)}`).stale = true;
    return queued;
  },
  check: (run: NewBacktest, signal?: AbortSignal) =>
    send('post', '/backtests/check', {}, run, signal ? { signal } : {}),
  cancel: async (id: string) =>
    keepPaged<Backtest>('/backtests', await send('post', '/backtests/{id}/cancel', { id }, {})),
  remove: async (id: string) => {
    await remove('/backtests/{id}', { id });
    dropPaged('/backtests', id);
  },
};

export const candles = {
  fetch: async (wanted: NewCandleFetch) =>
    keepPaged<CandleFetch>('/candles/fetches', await send('post', '/candles/fetches', {}, wanted)),
  cancel: async (id: string) =>
    keepPaged<CandleFetch>(
      '/candles/fetches',
      await send('post', '/candles/fetches/{id}/cancel', { id }, {}),
    ),
  remove: async (id: string) => {
    await remove('/candles/fetches/{id}', { id });
    dropPaged('/candles/fetches', id);
  },
};
