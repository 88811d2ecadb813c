// The server dies while a person types: the page says so, and what was typed is still there.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openBrowser } from '../browser.mjs';
import { startHouse } from '../house.mjs';
import { claim, paperBot, settled } from '../person.mjs';

test('the server is killed under a page', { timeout: 120_000 }, async (t) => {
  const house = await startHouse(t, { ends: 'killed' });
  const person = await openBrowser(t, { url: house.url });
  const { page, step } = person;

  await step('a form is half filled in', async () => {
    await claim(person, house);
    await paperBot(person);
    await page.locator('[aria-label="State of the bot"] [data-status="online"]').waitFor();
    await page.getByRole('link', { name: 'Templates', exact: true }).first().click();
    await page.getByRole('link', { name: 'New template' }).click();
    await page.getByLabel('Name', { exact: true }).fill('Typed before the crash');
    await settled(person);
    await page.locator('[data-live="live"]').waitFor();
  });

  await step('the server is killed', async () => {
    house.killServer();
    await page.getByRole('alert').filter({ hasText: 'The server does not answer.' }).waitFor();
    await page.locator('[data-live="reconnecting"]').waitFor();
    await person.accessible('without a server');
  });

  await step('saving says that it did not work and keeps the form', async () => {
    await page.getByRole('button', { name: 'Create template' }).click();
    await page.getByText('Saving failed.').waitFor();
    assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), 'Typed before the crash');
    assert.equal(new URL(page.url()).pathname, '/templates/new');
  });
});
