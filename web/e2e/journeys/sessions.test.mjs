// Signing in by password and passkey, what a wrong password gives away (nothing), and that ending a session is felt.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openBrowser, refusal } from '../browser.mjs';
import { startHouse } from '../house.mjs';
import { claim, EMAIL, PASSWORD, settled } from '../person.mjs';

test('sessions begin and end', { timeout: 180_000 }, async (t) => {
  const house = await startHouse(t);
  const owner = await openBrowser(t, { url: house.url });
  await owner.step('the owner sets a password', async () => {
    await claim(owner, house);
    await owner.page.goto('/account/security');
    await owner.page.getByLabel('New password').fill(PASSWORD);
    await owner.page.getByRole('button', { name: 'Set password' }).click();
    await owner.page.getByText('Password set.').waitFor();
  });

  const other = await owner.join();
  await other.step('a wrong password and an unknown person read the same', async () => {
    const texts = [];
    for (const email of [EMAIL, 'nobody@example.org']) {
      await other.page.goto('/login');
      await signIn(other, email, 'not-the-right-password');
      const alert = other.page.getByRole('alert').first();
      await alert.waitFor();
      texts.push((await alert.innerText()).replace(/request \S+/, ''));
    }
    assert.equal(texts[0], texts[1]);
    assert.match(texts[0], /Signing in failed/);
  });
  await other.step('the right password signs in', async () => {
    await signIn(other, EMAIL, PASSWORD);
    await other.page.getByRole('heading', { name: 'Dashboard', level: 1 }).waitFor();
    await other.page.goto('/trades');
    await settled(other);
  });

  await owner.step('the owner ends the other session', async () => {
    await owner.page.goto('/account/sessions');
    const rows = owner.page.getByRole('table', { name: 'Signed-in devices' }).locator('tbody tr');
    await rows.nth(1).waitFor();
    assert.equal(await rows.count(), 2);
    await rows
      .nth(1)
      .getByRole('button', { name: /^Sign out/ })
      .click();
    await owner.page.getByText('1 session ended.').waitFor();
  });
  await other.step('its next action leads to signing in, and back afterwards', async () => {
    // The stream may be told first; then the page is there already.
    await other.page
      .getByRole('link', { name: 'API keys', exact: true })
      .first()
      .click({ timeout: 2_000 })
      .catch(() => undefined);
    await other.page.getByRole('heading', { name: 'Sign in' }).waitFor();
    assert.equal(new URL(other.page.url()).pathname, '/login');
    await other.accessible('sign in');
  });

  await owner.step('signing out, then a refused and an accepted passkey', async () => {
    const { page, device } = owner;
    // Nobody touches the device, or the e-mail field's own offer would sign in before anything can be looked at.
    await device.present(false);
    await page.getByRole('button', { name: 'Sign out', exact: true }).first().click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await device.present(true);
    await device.refuse(true);
    await page.getByRole('button', { name: 'Use a passkey' }).click();
    await page.getByText('No passkey was given').waitFor();
    await device.refuse(false);
    await page.getByRole('button', { name: 'Use a passkey' }).click();
    // Back to where the person was.
    await page.getByRole('table', { name: 'Signed-in devices' }).waitFor();
  });

  owner.quiet('the owner', refusal(401, '/me'), /^info: Clear-Site-Data header/);
  other.quiet('the other browser', refusal(401, '/api/v1/'));
});

async function signIn({ page }, email, password) {
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in with password' }).click();
}
