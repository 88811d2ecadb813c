// The whole way of a person: from an unclaimed server over a key, a template and a bot to trades and a clean end.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { openBrowser, refusal } from '../browser.mjs';
import { eventually, startHouse } from '../house.mjs';
import { api, claim, sealKey, settled } from '../person.mjs';

const SCREENSHOT = fileURLToPath(new URL('../../../docs/screenshot.png', import.meta.url));

/** Crosses often and never stays long, so that trades come within seconds of the replay. */
const QUICK = {
  format: 1,
  name: 'Quick crossings',
  description: 'Enters on every crossing of two short averages and leaves after five candles at the latest.',
  timeframe: '1m',
  combination: { mode: 'min_score', threshold: '1' },
  components: [
    { kind: 'ema_cross', role: 'signal', parameters: { fast: '2', slow: '5', trigger: 'event' }, weight: '1' },
  ],
  exits: [
    { kind: 'hard_stop', parameters: { basis: 'percent', pct: '1' } },
    { kind: 'time_stop', parameters: { max_candles: '5' } },
  ],
};

test('from the claim to trades and a clean end', { timeout: 300_000 }, async (t) => {
  const house = await startHouse(t);
  const person = await openBrowser(t, { url: house.url });
  const { page, step } = person;

  await step('a wrong code is refused, the right one makes an owner', async () => {
    await page.goto('/');
    await page.getByRole('heading', { name: 'This server has not been claimed' }).waitFor();
    await page.goto('/claim#0000000000000000');
    await page.getByLabel('E-mail').fill('owner@example.org');
    await page.getByRole('button', { name: 'Create passkey' }).click();
    await page.getByRole('alert').first().waitFor();
    await claim(person, house);
    assert.equal((await person.device.credentials()).length, 1, 'one passkey');
    assert.equal(new URL(page.url()).hash, '', 'the code is gone from the address');
  });

  for (const fault of faults(house)) {
    await step(`a key with a fault says which: ${fault.label}`, () => refusedKey(person, house, fault));
  }
});

/** Every failing check of the connection test that this exchange can produce, with the words a person reads. */
function faults({ keys }) {
  const own = { key: 'aUnknownKeyAbcdefg', secret: 'b'.repeat(36) };
  return [
    { label: 'Wrong secret', ...keys.good, secret: 'w'.repeat(36), at: 'signature', says: /secret is not the one of this key/ },
    { label: 'Unknown key', ...own, at: 'key_known', says: /does not know this key/ },
    { label: 'Read only', ...keys.read_only, at: 'permissions', says: /may read but not trade/ },
    { label: 'Foreign address', ...keys.foreign_address, at: 'address', says: /only from other addresses/ },
    { label: 'Withdrawal', ...keys.withdrawal, at: 'permissions', says: /can move money out/ },
    { label: 'Expired', ...keys.expired, at: 'expiry', says: /has expired/ },
    { label: 'Exchange down', ...keys.good, at: 'reachable', says: /exchange does not answer/, around: ['down', 'up'] },
  ];
}

async function refusedKey(person, house, { label, key, secret, at, says, around }) {
  const { page } = person;
  if (around) await house.venue(around[0]);
  await sealKey(person, { label, key, secret });
  const failed = page.locator('[data-result="failed"]').first();
  await failed.waitFor();
  assert.equal(await failed.getAttribute('data-step'), at);
  assert.match(await failed.innerText(), says);
  await page.getByText('The key is stored, but not usable.').waitFor();
  if (around) await house.venue(around[1]);
  await page.getByRole('button', { name: 'Delete and paste again' }).click();
  await page.getByRole('heading', { name: '3. Paste it here' }).waitFor();
}
