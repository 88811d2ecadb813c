// Every call the pages make, one line each. Changing calls put the server's answer into the cache, so that the page
// shows what the server confirmed even before its event arrives.

import { upsert } from '../live/patch';
import { cache } from './cache.svelte';
import { get, patch, post, put, remove } from './client';
import type {
  Bot,
  BotSettings,
  ContractType,
  Environment,
  Key,
  KeyIntent,
  SealedUpload,
  Template,
  TemplateCheck,
  TemplateDocument,
} from './types';

const at = (base: string, id: string): string => `${base}/${encodeURIComponent(id)}`;

function keep<T extends { id: string }>(base: string, object: T): T {
  for (const entry of cache.exactly<T[]>(base)) entry.patch((list) => upsert(list, object));
  cache.entry<T>(at(base, object.id)).set(object);
  return object;
}

function drop(base: string, id: string): void {
  for (const entry of cache.exactly<{ id: string }[]>(base)) {
    entry.patch((list) => list.filter((item) => item.id !== id));
  }
}

/** What is fixed when a key is made. */
export interface KeyPlace {
  exchange: string;
  environment: Environment;
  contract_type: ContractType;
}

export const keys = {
  intent: (where: KeyPlace, label: string) =>
    post<KeyIntent>('/keys/intents', where, { action: `Add API key ${label}` }),
  /** The same without asking for a fresh proof: fails with REAUTH_REQUIRED instead. */
  intentIfFresh: (where: KeyPlace) => post<KeyIntent>('/keys/intents', where, { reverify: 'fail' }),
  store: async (id: string, sealed: SealedUpload) =>
    keep('/keys', await put<Key>(at('/keys', id), sealed, { action: `Add API key ${sealed.label}` })),
  fetch: async (id: string) => keep('/keys', await get<Key>(at('/keys', id))),
  test: async (id: string) => keep('/keys', await post<Key>(`${at('/keys', id)}/test`)),
  rename: async (id: string, label: string) => keep('/keys', await patch<Key>(at('/keys', id), { label })),
  activate: async (id: string, active: boolean) =>
    keep('/keys', await patch<Key>(at('/keys', id), { active })),
  instruments: async (id: string, symbols: readonly string[]) =>
    keep('/keys', await put<Key>(`${at('/keys', id)}/instruments`, { symbols })),
  remove: async (key: Pick<Key, 'id' | 'label'>) => {
    await remove(at('/keys', key.id), { action: `Delete API key ${key.label}` });
    drop('/keys', key.id);
  },
};

export interface NewBot {
  label: string;
  region: string;
  key_id?: string;
  template_id?: string;
  settings?: BotSettings;
  start: 'running' | 'paused';
}

export const bots = {
  deploy: async (bot: NewBot) => {
    const made = keep('/bots', await post<Bot>('/bots', bot, { action: `Deploy bot ${bot.label}` }));
    cache.invalidate('/keys');
    return made;
  },
  change: async (
    bot: Pick<Bot, 'id' | 'label'>,
    change: { label?: string; key_id?: string | null; template_id?: string; settings?: BotSettings },
  ) => {
    const made = keep(
      '/bots',
      await patch<Bot>(at('/bots', bot.id), change, { action: `Change bot ${bot.label}` }),
    );
    cache.invalidate('/keys');
    return made;
  },
  pause: (id: string) => post(`${at('/bots', id)}/pause`),
  resume: (id: string) => post(`${at('/bots', id)}/resume`),
  flatten: (id: string) => post(`${at('/bots', id)}/flatten`),
  stop: (id: string, positions?: 'close' | 'leave') =>
    post(`${at('/bots', id)}/stop`, positions ? { positions } : {}),
  redeploy: (id: string) => post(`${at('/bots', id)}/deploy`),
  remove: async (bot: Pick<Bot, 'id' | 'label'>) => {
    await remove(at('/bots', bot.id), { action: `Delete bot ${bot.label}` });
    drop('/bots', bot.id);
    cache.invalidate('/keys');
  },
  /** After a command: what the server now says about the bot. */
  refresh: (id: string) => {
    cache.invalidate(at('/bots', id));
    cache.invalidate('/bots');
  },
};

export const templates = {
  create: async (document: TemplateDocument) =>
    keep('/templates', await post<Template>('/templates', { document })),
  duplicate: async (id: string, name?: string) =>
    keep('/templates', await post<Template>('/templates', { duplicate_of: id, ...(name ? { name } : {}) })),
  save: async (id: string, document: TemplateDocument) =>
    keep('/templates', await put<Template>(at('/templates', id), { document })),
  check: (document: TemplateDocument, signal?: AbortSignal) =>
    post<TemplateCheck>('/templates/check', { document }, signal ? { signal } : {}),
  remove: async (template: Pick<Template, 'id' | 'name'>) => {
    await remove(at('/templates', template.id), { action: `Delete template ${template.name}` });
    drop('/templates', template.id);
  },
};
