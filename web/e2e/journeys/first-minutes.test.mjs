// The promise of the first minutes: from the address that the server printed to a paper bot that trades, with few clicks.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openBrowser, refusal } from '../browser.mjs';
import { startHouse } from '../house.mjs';
import { claim } from '../person.mjs';

const MOST_CLICKS = 14;
const MOST_FIELDS = 6;

test('a trading paper bot within the first minutes', { timeout: 180_000 }, async (t) => {
  const house = await startHouse(t);
  const person = await openBrowser(t, { url: house.url });
  const { page } = person;
  const started = Date.now();

  await person.step('claim', () => claim(person, house));
  await person.step('paper money', async () => {
    await person.click(page.getByRole('link', { name: /Try with paper money/ }));
    const start = page.getByRole('button', { name: 'Start paper bot' });
    await start.and(page.locator(':not([aria-disabled])')).waitFor();
    await person.accessible('paper money');
    await person.click(start);
    await page.getByRole('heading', { name: 'First paper bot', level: 1 }).waitFor();
    await page.locator('[aria-label="State of the bot"] [data-status="online"]').waitFor();
  });
  await person.step('it decides on candles', async () => {
    await page.getByText('Trading', { exact: true }).waitFor();
    await page.getByRole('img', { name: /^BTCUSDT went from .* candles;/ }).waitFor();
    await person.click(page.getByRole('link', { name: 'Decisions', exact: true }));
    await page
      .getByRole('table', { name: 'Decisions of First paper bot' })
      .locator('tbody tr')
      .first()
      .waitFor();
  });

  const { clicks, fields } = person.effort();
  const seconds = (Date.now() - started) / 1000;
  t.diagnostic(`clicks: ${clicks}, fields: ${fields}, seconds: ${seconds.toFixed(1)}`);
  assert.ok(clicks <= MOST_CLICKS, `${clicks} clicks`);
  assert.ok(fields <= MOST_FIELDS, `${fields} fields`);
  person.quiet('the first minutes', refusal(401, '/me'));
});
