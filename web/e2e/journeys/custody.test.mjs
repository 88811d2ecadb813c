// What a key's owner sees of its custody, what one act does to a key that leaked, and that a closed account is gone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openBrowser, refusal } from '../browser.mjs';
import { startHouse } from '../house.mjs';
import { api, claim, EMAIL, sealKey, settled } from '../person.mjs';

test('a key is watched, leaks, and an account closes', { timeout: 180_000 }, async (t) => {
  const house = await startHouse(t);
  const owner = await openBrowser(t, { url: house.url });
  const { page, step } = owner;

  await step('a key shows who was let at it, and its health', async () => {
    await claim(owner, house);
    await sealKey(owner, { label: 'Paper first', ...house.keys.second });
    await page.getByText('Key saved and verified.').waitFor();
    const [key] = (await api(owner, 'GET', '/keys')).body;
    await page.goto(`/keys/${key.id}`);
    const custody = page.getByRole('region', { name: 'Where this secret is' });
    await custody.getByRole('heading', { name: /^Let at it: [1-9]/ }).waitFor();
    await custody.getByText('connection test').first().waitFor();
    assert.match(await custody.innerText(), /characters of ciphertext/);
    await page
      .getByRole('region', { name: 'Summary' })
      .getByText(/^\d+ of 100$/)
      .waitFor();
    const downloading = page.waitForEvent('download');
    await custody.getByRole('button', { name: 'Download evidence' }).click();
    assert.match((await downloading).suggestedFilename(), /^keyhold-custody-[0-9a-f]{32}\.json$/);
    await owner.accessible('key page');
  });

  await step('reported as leaked, a key without a bot is gone in three clicks', async () => {
    await page.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menuitem', { name: 'This key leaked' }).click();
    const dialog = page.getByRole('dialog', { name: 'Has Paper first leaked?' });
    await dialog.waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.textContent?.trim()), 'It leaked');
    await owner.accessible('leaked dialog');
    await dialog.getByRole('button', { name: 'It leaked' }).click();
    await page.getByText('Paper first is destroyed.').waitFor();
    await page.getByText('No API keys yet').waitFor();
    assert.deepEqual((await api(owner, 'GET', '/keys')).body, []);
  });

  await step(
    'an account closes when its address was typed, and the installation can be claimed again',
    async () => {
      await page.goto('/account/close');
      await settled(owner);
      await page.getByRole('button', { name: 'Close account…' }).click();
      const dialog = page.getByRole('dialog', { name: 'Close this account?' });
      const act = dialog.getByRole('button', { name: 'Close account' });
      assert.equal(await act.isDisabled(), true, 'not before the address is typed');
      await owner.accessible('close account');
      await dialog.getByLabel(/^Type/).fill(EMAIL);
      await act.click();
      await page.getByText('The account is closed.').waitFor();
      await page.getByRole('heading', { level: 1 }).waitFor();
      const setup = await page.evaluate(async () => (await fetch('/api/v1/setup')).json());
      assert.equal(setup.state, 'unclaimed');
    },
  );

  owner.quiet('the owner', refusal(401, '/api/v1/'), refusal(404, '/keys/'), /^info: Clear-Site-Data header/);
});
