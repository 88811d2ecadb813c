// A template made in the builder with the keyboard, explained with the catalog's titles; and pages of which a part does
// not load: they say which, and a retry repairs them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openBrowser } from '../browser.mjs';
import { startHouse } from '../house.mjs';
import { choose, claim, paperBot, settled } from '../person.mjs';

/** What the network layer says about a request that was cut off. */
const CUT_OFF = /^error: Failed to load resource: net::ERR_FAILED/;

test('the builder, and parts that do not load', { timeout: 180_000 }, async (t) => {
  const house = await startHouse(t);
  const person = await openBrowser(t, { url: house.url });
  const { page, step } = person;
  await claim(person, house);
  const bot = await paperBot(person);
  await settled(person);
  person.quiet('the first bot', /401.*\/me/);

  await step('a part is added, moved and removed', () => composed(person));
  await step('the explanation names what the catalog names', () => explained(person));
  await step('the template is stored', async () => {
    await page.getByRole('button', { name: 'Create template' }).click();
    await page.getByRole('heading', { name: 'Built by hand', level: 1 }).waitFor();
    await explained(person);
    person.quiet('building');
  });

  await step('choices that do not load', () =>
    cut(person, `/bots/${bot.id}/settings`, 'templates', 'Loading templates failed'),
  );
  await step('a dashboard without its keys', () => cut(person, '/', 'keys', 'Loading API keys failed'));
  await step('a bot that does not load', () =>
    cut(person, `/bots/${bot.id}`, `bots/${bot.id}`, 'Loading bot failed'),
  );
  await step('a template that does not load is no empty page', async () => {
    const { pathname } = new URL(await edited(person));
    await cut(person, pathname, 'templates/*', 'Loading template failed');
    await page.getByRole('heading', { name: 'Components' }).waitFor();
  });
});

async function composed(person) {
  const { page } = person;
  await page.goto('/templates/new');
  await page.getByLabel('Name', { exact: true }).fill('Built by hand');
  await choose(page.getByLabel('Component to add'), /^\s*RSI\s*$/);
  await page.getByRole('button', { name: 'Add component' }).click();
  const names = page.locator('section[aria-labelledby="components"] .name .strong');
  await page.getByRole('button', { name: 'Move RSI up' }).focus();
  await page.keyboard.press('Enter');
  await names.first().filter({ hasText: 'RSI' }).waitFor();
  const focused = page.locator(':focus');
  assert.match(await focused.innerText(), /^RSI/, 'the focus goes with the part that was moved');
  await page.keyboard.press('Alt+ArrowDown');
  await names.last().filter({ hasText: 'RSI' }).waitFor();
  assert.match(await focused.innerText(), /^RSI/, 'also with the arrow keys');
  await page.getByRole('button', { name: 'Remove RSI' }).click();
  await page.getByText('RSI removed.').waitFor();
  await page.getByRole('button', { name: 'Undo' }).click();
  await names.last().filter({ hasText: 'RSI' }).waitFor();
}

async function explained(person) {
  const words = person.page.locator('section[aria-labelledby="words"]');
  await words
    .getByRole('listitem')
    .filter({ hasText: /^RSI \(weight 1\): / })
    .waitFor();
  const text = await words.innerText();
  assert.match(text, /EMA crossover \(weight 1\): /);
  assert.match(text, /Hard stop loss: /);
  assert.doesNotMatch(text, /[a-z]_[a-z]/, 'no name of a document is shown to people');
}

/** Follows the link to the editor and gives its address. */
async function edited(person) {
  const { page } = person;
  await page.goto('/templates');
  await page.getByRole('link', { name: 'Built by hand', exact: true }).click();
  await page.getByRole('link', { name: 'Edit', exact: true }).click();
  await page.getByRole('heading', { name: 'Edit Built by hand', level: 1 }).waitFor();
  return page.url();
}

/** Opens a page while an address does not answer; the page says so, stays accessible, and a retry repairs it. */
async function cut(person, address, path, message) {
  const { page } = person;
  const pattern = `**/api/v1/${path}`;
  await page.route(pattern, (route) => route.abort());
  await page.goto(address);
  const alert = page.getByRole('alert').filter({ hasText: message });
  await alert.waitFor();
  await person.accessible(message);
  await page.unroute(pattern);
  await alert.getByRole('button', { name: 'Retry' }).click();
  await alert.waitFor({ state: 'detached' });
  await settled(person);
  person.quiet(message, CUT_OFF);
}
