// Steps that several journeys take, as a person takes them: claiming, pasting, adding a key, waiting for a page.

import { eventually } from './house.mjs';

export const EMAIL = 'owner@example.org';
/** Long, and on no list of common ones. */
export const PASSWORD = 'quiet-harbor-lantern-47';

/** Crosses often and never stays long, so that trades come within seconds of the replay. */
export const QUICK = {
  format: 1,
  name: 'Quick crossings',
  description: 'Enters on every crossing of two short averages and leaves after five candles at the latest.',
  timeframe: '1m',
  combination: { mode: 'min_score', threshold: '1' },
  components: [
    {
      kind: 'ema_cross',
      role: 'signal',
      parameters: { fast: '2', slow: '5', trigger: 'event' },
      weight: '1',
    },
  ],
  exits: [
    { kind: 'hard_stop', parameters: { basis: 'percent', pct: '1' } },
    { kind: 'time_stop', parameters: { max_candles: '5' } },
  ],
};

/** Opens the address that the server printed and becomes the owner by passkey. */
export async function claim(person, house) {
  const { page } = person;
  await page.goto(`/claim#${house.claim}`);
  await person.fill(page.getByLabel('E-mail'), EMAIL);
  await person.click(page.getByRole('button', { name: 'Create passkey' }));
  await page.getByRole('heading', { name: 'Welcome' }).waitFor();
}

/** Clicks through "Try with paper money" and gives the running bot as the server tells it. */
export async function paperBot(person) {
  const { page } = person;
  await page.goto('/welcome/paper');
  const start = page.getByRole('button', { name: 'Start paper bot' });
  await start.and(page.locator(':not([aria-disabled])')).click();
  await page.getByRole('heading', { name: 'First paper bot', level: 1 }).waitFor();
  const { pathname } = new URL(page.url());
  return (await api(person, 'GET', pathname)).body;
}

/** Copies a text and pastes it into a field with the keyboard, so that the page sees a real paste. */
export async function paste(person, field, text) {
  const { page } = person;
  await page.evaluate((copied) => navigator.clipboard.writeText(copied), text);
  await field.focus();
  await page.keyboard.press('Control+V');
}

/** Fills in the form for a paper key by pasting, and sends it. */
export async function sealKey(person, { label, key, secret }) {
  const { page } = person;
  await page.goto('/keys/new');
  await page.getByRole('radio', { name: /^Paper/ }).check();
  await page.getByLabel('Label', { exact: true }).fill(label);
  await paste(person, page.getByLabel('API key', { exact: true }), key);
  await paste(person, page.getByLabel('API secret', { exact: true }), secret);
  await page.getByText(`${secret.length} characters received`).first().waitFor();
  await page.getByRole('button', { name: 'Seal and test key' }).click();
}

/** Chooses the entry of a list that contains a text. */
export async function choose(list, text) {
  const entry = list.locator('option', { hasText: text });
  await entry.waitFor({ state: 'attached' });
  await list.selectOption(await entry.getAttribute('value'));
}

/** Waits until a page shows its heading and nothing is loading any more. */
export async function settled(person) {
  const { page } = person;
  await page.locator('h1').first().waitFor();
  await eventually(
    `${page.url()} is loaded`,
    async () => (await page.locator('[aria-busy="true"]').count()) === 0,
  );
}

/** Calls the server from the page, with the page's own session and origin. */
export function api(person, method, path, body) {
  return person.page.evaluate(
    async (call) => {
      const init = { method: call.method, headers: { 'content-type': 'application/json' } };
      if (call.method !== 'GET') init.body = JSON.stringify(call.body ?? {});
      const answer = await fetch(`/api/v1${call.path}`, init);
      const text = await answer.text();
      return { status: answer.status, body: text ? JSON.parse(text) : null };
    },
    { method, path, body },
  );
}
