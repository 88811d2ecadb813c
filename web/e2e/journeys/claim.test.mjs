// From an unclaimed server to a running paper bot, by passkey, counting clicks. Needs a fresh server:
//   KEYHOLD_URL=http://localhost:8080 KEYHOLD_CLAIM=<code> node --test e2e/journeys/claim.test.mjs

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { claimCode, eventually, missing, open, refusal } from '../browser.mjs';

const MOST_CLICKS = 14;

test(
  'claim with a passkey, then a paper bot',
  { skip: missing('KEYHOLD_URL', 'KEYHOLD_CLAIM'), timeout: 180_000 },
  async (t) => {
    const session = await open();
    t.after(() => session.close());
    const { page } = session;
    const step = session.steps(t);

    await step('an unclaimed server says so and nothing else', async () => {
      await page.goto('/');
      await page.getByRole('heading', { name: 'This server has not been claimed' }).waitFor();
      await session.accessible('unclaimed');
    });

    await step('a wrong code is refused', async () => {
      await page.goto('/claim#0000000000000000');
      await page.getByLabel('E-mail').fill('owner@example.org');
      await page.getByRole('button', { name: 'Create passkey' }).click();
      await page.getByRole('alert').first().waitFor();
      await session.accessible('claim refused');
    });

    await step('the right code makes an owner with a passkey', async () => {
      await page.goto(`/claim#${claimCode}`);
      await page.getByLabel('E-mail').fill('owner@example.org');
      await session.accessible('claim');
      await session.click(page.getByRole('button', { name: 'Create passkey' }));
      await page.getByRole('heading', { name: 'Welcome' }).waitFor();
      assert.equal((await session.device.credentials()).length, 1);
      assert.equal(new URL(page.url()).hash, '', 'the code is gone from the address');
      await session.accessible('welcome');
    });

    await step('paper money leads to a running bot', async () => {
      const paper = page.getByRole('link', { name: /Try with paper money/ });
      const offered = await paper.waitFor({ timeout: 5_000 }).then(
        () => true,
        () => false,
      );
      if (!offered) {
        t.diagnostic('SKIPPED: no simulated exchange with paper credentials is configured on this server');
        return;
      }
      await session.click(paper);
      const start = page.getByRole('button', { name: 'Start paper bot' });
      await eventually(
        'markets are loaded',
        async () => (await start.getAttribute('aria-disabled')) === null,
      );
      await session.accessible('paper');
      await session.click(start);
      await page.getByRole('heading', { name: 'First paper bot' }).waitFor({ timeout: 60_000 });
      await page.locator('[data-status="online"]').first().waitFor({ timeout: 90_000 });
      assert.ok(session.clicks <= MOST_CLICKS, `${session.clicks} clicks`);
      t.diagnostic(`clicks from the claim to the running paper bot: ${session.clicks}`);
      await session.accessible('bot');
    });

    await step('sign out and in again with the passkey', async () => {
      // Nobody touches the device, or the e-mail field's own offer would sign in before anything can be looked at.
      await session.device.present(false);
      await page.getByRole('button', { name: 'Sign out' }).first().click();
      await page.getByRole('heading', { name: 'Sign in' }).waitFor();
      await session.accessible('sign in');
      await session.device.present(true);
      await session.device.refuse(true);
      await page.getByRole('button', { name: 'Use a passkey' }).click();
      await page.getByText('No passkey was given').waitFor();
      await session.device.refuse(false);
      await page.getByRole('button', { name: 'Use a passkey' }).click();
      await page.getByRole('link', { name: 'Dashboard', exact: true }).first().waitFor();
    });

    await step('every page is accessible and silent', async () => {
      const pages = [
        '/',
        '/bots',
        '/bots?deploy=new',
        '/keys',
        '/keys/new',
        '/templates',
        '/templates/new',
        '/trades',
      ];
      for (const address of [
        ...pages,
        '/activity',
        '/account/security',
        '/account/sessions',
        '/account/looks',
      ]) {
        await page.goto(address);
        await page.locator('h1').first().waitFor();
        await page.waitForLoadState('load');
        await eventually(
          `${address} is loaded`,
          async () => (await page.locator('[aria-busy="true"]').count()) === 0,
        );
        await session.accessible(address);
      }
    });

    // Refused on purpose: the wrong code, and asking who is signed in before and after.
    session.quiet(refusal('4\\d\\d', '/claim'), refusal(401, '/me'), /^info: Clear-Site-Data header/);
  },
);
