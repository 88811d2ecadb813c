// The way to a running paper bot, made of the same parts as any other: a credential of the simulated venue is sealed
// in this browser, stored, tested, given a market and handed to a bot. Knows no page.

import { bots, keys } from '../../lib/api/endpoints';
import { Problem } from '../../lib/api/problem';
import type {
  Bot,
  BotSettings,
  ExchangeEntry,
  Instrument,
  Key,
  KeyPlace,
  Template,
} from '../../lib/api/types';
import { address, read } from '../../lib/api/address';
import { sealForIntent } from '../keys/sealing';

export const PAPER_LABEL = 'Paper money';
export const PAPER_BOT = 'First paper bot';

/** The exchanges that offer paper credentials, with a passphrase where keys have one. */
export function paperVenues(exchanges: readonly ExchangeEntry[]): ExchangeEntry[] {
  return exchanges.filter(
    (entry) =>
      entry.environments.includes('simulated') &&
      entry.demo_credential?.api_secret &&
      (entry.passphrase === 'none' || entry.demo_credential.passphrase),
  );
}

/** "Careful": 1 % of equity at risk with leverage 1, and tight limits. */
export function carefulSettings(): BotSettings {
  return {
    format: 1,
    sizing: { mode: 'percent_equity', pct: '10' },
    leverage: '1',
    limits: {
      max_positions_per_asset: 1,
      max_positions_total: 2,
      daily_loss: { most: { pct: '2' }, counting: 'realized_and_unrealized', when_hit: 'block' },
      max_drawdown_pct: '10',
      max_slippage_bps: '50',
      max_data_age_s: 120,
      order_errors: { count: 5, window_s: 600 },
    },
  };
}

/** The markets of a simulated venue in the order offered: BTC first, then the others that trade. */
export function offeredMarkets(instruments: readonly Instrument[]): Instrument[] {
  const rank = (instrument: Instrument): number => (['BTC', 'XBT'].includes(instrument.base) ? 0 : 1);
  return instruments
    .filter((instrument) => instrument.status === 'trading')
    .toSorted((a, b) => rank(a) - rank(b) || a.symbol.localeCompare(b.symbol));
}

/** The built-in template offered first. */
export function firstTemplate(templates: readonly Template[]): Template | null {
  const usable = templates.filter((template) => template.valid);
  return usable.find((template) => /trend follow/i.test(template.name)) ?? usable[0] ?? null;
}

export type PaperStep = 'seal' | 'store' | 'test' | 'market' | 'bot';

export interface PaperPlan {
  venue: ExchangeEntry;
  symbol: string;
  template: string;
}

const VERIFY_POLL_MS = 500;
const VERIFY_LIMIT_MS = 30_000;

/** Does all of it; `progress` is told before each step. Throws a Problem of the step that failed. */
export async function startPaperBot(plan: PaperPlan, progress: (step: PaperStep) => void): Promise<Bot> {
  const credential = plan.venue.demo_credential;
  if (!credential)
    throw new Problem({ status: 0, code: 'NO_PAPER', title: 'No paper account is offered here' });
  progress('seal');
  const contract = plan.venue.contract_types.includes('linear') ? 'linear' : 'inverse';
  const where: KeyPlace = {
    exchange: plan.venue.exchange,
    environment: 'simulated',
    contract_type: contract,
  };
  const key = await reuseOrStore(plan, credential, where, progress);
  progress('test');
  const verified = await verify(key);
  progress('market');
  if (!verified.active) await keys.activate(verified.id, true);
  if (!verified.instruments.includes(plan.symbol)) {
    await keys.instruments(verified.id, [...verified.instruments, plan.symbol]);
  }
  progress('bot');
  return bots.deploy({
    label: PAPER_BOT,
    region: 'local',
    key_id: verified.id,
    template_id: plan.template,
    settings: carefulSettings(),
    start: 'running',
  });
}

async function reuseOrStore(
  plan: PaperPlan,
  credential: NonNullable<ExchangeEntry['demo_credential']>,
  where: KeyPlace,
  progress: (step: PaperStep) => void,
): Promise<Key> {
  // A second try after a failure must not trip over the key that the first one stored.
  const stored = (await read(address('/keys'))).find(
    (key) => key.exchange === plan.venue.exchange && key.environment === 'simulated' && !key.assigned_bot,
  );
  if (stored) return stored;
  const intent = await keys.intent(where, PAPER_LABEL);
  const sealed = await sealForIntent(intent, where, {
    label: PAPER_LABEL,
    apiKey: credential.api_key,
    apiSecret: credential.api_secret,
    passphrase: credential.passphrase ?? null,
  });
  progress('store');
  return keys.store(intent.key_id, sealed);
}

async function verify(key: Key): Promise<Key> {
  let current = key;
  const limit = performance.now() + VERIFY_LIMIT_MS;
  while (current.verification.state === 'testing' && performance.now() < limit) {
    await new Promise((resolve) => setTimeout(resolve, VERIFY_POLL_MS));
    current = await keys.fetch(key.id);
  }
  if (current.verification.state !== 'ok') current = await keys.test(key.id);
  if (current.verification.state === 'ok') return current;
  throw new Problem({
    status: 0,
    code: current.verification.code ?? 'KEY_NOT_VERIFIED',
    title: 'The connection test did not pass',
    nextStep: 'Open the key’s page for every check of the test.',
  });
}
