// The whole way of a person: from an unclaimed server over a key, a template and a bot to trades and a clean end.

import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { openBrowser, refusal } from '../browser.mjs';
import { eventually, startHouse } from '../house.mjs';
import { api, choose, claim, QUICK, sealKey, settled } from '../person.mjs';

/** The picture of the README; written only when asked for, so that test runs leave the tree alone. */
const SCREENSHOT = fileURLToPath(new URL('../../../docs/screenshot.png', import.meta.url));

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
  await step('a sound key is tested, activated and given a market', () => soundKey(person, house));
  await step('a template is written as JSON', () => writeTemplate(person));
  await step('a bot is deployed with nothing to do', () => deployBot(person));
  await step('key and template are assigned on its page', () => assign(person));
  await step('decisions appear with their reasons', () => decisions(person));
  await step('a trade opens and closes', () => trades(person));
  await step('the chart shows entries and exits', () => chart(person));
  await step('pause and resume', () => pauseAndResume(person));
  await step('flatten closes what is open', () => flatten(person, house));
  await step('stop asks about the open position and leaves nothing', () => stop(person, house));

  person.quiet(
    'the whole journey',
    refusal('4\\d\\d', '/claim'),
    refusal(401, '/me'),
    refusal(409, '/keys/'),
  );
});

/** Nobody can switch such a key on past the page. */
async function mayNotTrade(person, label) {
  const { body: keys } = await api(person, 'GET', '/keys');
  const { id } = keys.find((key) => key.label === label);
  const { status, body } = await api(person, 'PATCH', `/keys/${id}`, { active: true });
  assert.equal(status, 409);
  assert.equal(body.code, label === 'Withdrawal' ? 'KEY_WITHDRAWAL_ENABLED' : 'KEY_NOT_VERIFIED');
  const keep = person.page.getByRole('link', { name: 'Keep as inactive' });
  assert.equal(
    await keep.count(),
    label === 'Withdrawal' ? 0 : 1,
    'only a key that can withdraw may not stay',
  );
}

/** Every failing check of the connection test that this exchange can produce, with the words a person reads. */
function faults({ keys }) {
  const own = { key: 'aUnknownKeyAbcdefg', secret: 'b'.repeat(36) };
  return [
    {
      label: 'Wrong secret',
      ...keys.good,
      secret: 'w'.repeat(36),
      at: 'signature',
      says: /secret is not the one of this key/,
    },
    { label: 'Unknown key', ...own, at: 'key_known', says: /does not know this key/ },
    { label: 'Read only', ...keys.read_only, at: 'permissions', says: /may read but not trade/ },
    { label: 'Foreign address', ...keys.foreign_address, at: 'address', says: /only from other addresses/ },
    { label: 'Withdrawal', ...keys.withdrawal, at: 'permissions', says: /can move money out/ },
    { label: 'Expired', ...keys.expired, at: 'expiry', says: /has expired/ },
    {
      label: 'Exchange down',
      ...keys.good,
      at: 'reachable',
      says: /exchange does not answer/,
      around: ['down', 'up'],
    },
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
  await mayNotTrade(person, label);
  if (around) await house.venue(around[1]);
  await page.getByRole('button', { name: 'Delete and paste again' }).click();
  await page.getByRole('heading', { name: '3. Paste it here' }).waitFor();
}

async function soundKey(person, house) {
  const { page } = person;
  await sealKey(person, { label: 'Paper main', ...house.keys.good });
  await page.getByText('Key saved and verified.').waitFor();
  assert.equal(await page.locator('[data-step]').count(), 10, 'all ten checks are listed');
  const left = page.locator('[data-step]:not([data-result="passed"]):not([data-step="passphrase"])');
  assert.deepEqual(await left.allInnerTexts(), [], 'every check passed');
  const balance = page.getByRole('table', { name: 'Balances' }).getByRole('row', { name: /^USDT/ });
  assert.match(await balance.innerText(), /10,000/);
  await person.accessible('tested key');
  const rights = page.locator('section', { has: page.getByRole('heading', { name: 'Permissions found' }) });
  assert.match(await rights.innerText(), /Withdraw\s+✓ No\s/);
  await page.getByText('It is active: a bot may use it.').waitFor();
  await page.getByRole('checkbox', { name: /^BTCUSDT/ }).check();
  await page.getByRole('button', { name: 'Save markets' }).click();
  await page.getByRole('link', { name: 'Open key' }).click();
  const active = page.getByRole('switch', { name: 'Key active' });
  await active.and(page.locator('[aria-checked="true"]')).click();
  await active.and(page.locator('[aria-checked="false"]')).click();
  await active.and(page.locator('[aria-checked="true"]')).waitFor();
}

async function writeTemplate(person) {
  const { page } = person;
  await page.goto('/templates/new');
  await page.getByRole('button', { name: 'Edit as JSON' }).click();
  await page.getByRole('textbox', { name: 'Document' }).fill(JSON.stringify(QUICK));
  await page.getByRole('textbox', { name: 'Document' }).blur();
  await page.getByRole('button', { name: 'Create template' }).click();
  await page.getByRole('heading', { name: QUICK.name, level: 1 }).waitFor();
}

async function deployBot(person) {
  const { page } = person;
  await page.goto('/bots');
  await page
    .getByRole('link', { name: 'Deploy bot' })
    .or(page.getByRole('button', { name: 'Deploy bot' }))
    .first()
    .click();
  const dialog = page.getByRole('dialog', { name: 'Deploy bot' });
  await dialog.getByLabel('Name').fill('BTC quick');
  await dialog.getByRole('button', { name: 'Deploy bot' }).click();
  await page.getByRole('heading', { name: 'BTC quick', level: 1 }).waitFor();
  await state(person, 'online');
  await page.getByText('An API key is missing.').waitFor();
  await page.getByText('A template is missing.').waitFor();
}

/** Waits for the state that the page itself shows. */
const state = ({ page }, status) =>
  page.locator(`[aria-label="State of the bot"] [data-status="${status}"]`).waitFor();

async function assign(person) {
  const { page } = person;
  await page.getByRole('link', { name: 'Settings' }).click();
  await choose(page.getByLabel('API key', { exact: true }), 'Paper main');
  await page.getByRole('button', { name: 'Assign key' }).click();
  await page.getByText('An API key is missing.').waitFor({ state: 'detached' });
  await choose(page.getByLabel('Template', { exact: true }), QUICK.name);
  await page.getByRole('button', { name: 'Assign template' }).click();
  await page.getByText('A template is missing.').waitFor({ state: 'detached' });
}

async function decisions(person) {
  const { page } = person;
  await page.getByRole('link', { name: 'Decisions', exact: true }).click();
  const rows = page.getByRole('table', { name: 'Decisions of BTC quick' }).locator('tbody tr');
  await rows.filter({ hasText: 'No signal' }).first().waitFor();
  await rows.filter({ hasText: 'Entered' }).first().waitFor();
}

async function trades(person) {
  const { page } = person;
  const { pathname } = new URL(page.url());
  person.bot = pathname.split('/')[2];
  await page.goto('/trades');
  const row = page.getByRole('table', { name: 'Trades' }).locator('tbody tr').last();
  await row.filter({ hasText: 'BTC quick' }).waitFor();
  assert.match(await row.innerText(), /BTCUSDT[\s\S]*(Time stop|Hard stop)/);
  await row.getByRole('link').first().click();
  await page.getByRole('heading', { name: 'From gross to net' }).waitFor();
  await page.getByRole('heading', { name: 'Why it was entered' }).waitFor();
  await page.getByText('EMA crossover').first().waitFor();
  assert.ok((await page.locator('li.fill').count()) >= 2, 'a fill in and a fill out');
  await settled(person);
  await person.accessible('trade');
}

async function chart(person) {
  const { page } = person;
  await page.goto(`/bots/${person.bot}`);
  const label = async () =>
    (await page.getByRole('img', { name: /candles;/ }).getAttribute('aria-label')) ?? '';
  await eventually('entries and exits on the chart', async () =>
    /[1-9]\d* entries, [1-9]\d* exits/.test(await label()),
  );
  await page.locator('.chart canvas').first().waitFor();
  await settled(person);
  await person.accessible('bot');
}

async function pauseAndResume(person) {
  const { page } = person;
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  const sure = page.getByRole('dialog').getByRole('button', { name: 'Pause bot' });
  const resume = page.getByRole('button', { name: 'Resume', exact: true });
  // Asked only while a position is open, which may change at any moment.
  await sure.or(resume).first().waitFor();
  if (await sure.isVisible()) await sure.click();
  await state(person, 'paused');
  await resume.click();
  await state(person, 'online');
}

/** Stops the market at a moment with an open position, so that what follows does not race with the next candle. */
async function freezeInPosition(person, house) {
  const bot = async (part) => (await api(person, 'GET', `/bots/${person.bot}${part}`)).body;
  const open = async () => (await bot('')).positions.length > 0;
  await eventually('a position that stays', async () => {
    if (!(await open())) return false;
    await house.venue('pause');
    // What was under way when the market stopped: the decision on the last candle, and what came of it.
    const { time_ms: now } = await house.venue('status');
    const closed = Math.floor(now / CANDLE_MS) * CANDLE_MS - CANDLE_MS;
    const last = await eventually('the decision on the last candle', async () => {
      const [newest] = (await bot('/decisions?limit=1')).items;
      return newest && newest.at >= closed && newest;
    });
    const stays = !last.code.startsWith('EXIT_');
    if (stays) {
      await eventually(
        'server and exchange to agree',
        async () => (await open()) === (await openAtExchange(house)).length > 0,
      );
      if (await open()) return true;
    }
    await house.venue('resume', { pace: '20' });
    return false;
  });
}

/** The length of the bot's candles. */
const CANDLE_MS = 60_000;

/** The positions that the exchange itself knows of. */
async function openAtExchange(house) {
  const { positions } = await house.venue('truth', { account: 1 });
  return positions.filter(({ size }) => Number(size) !== 0);
}

async function picture(page) {
  const messages = page.getByRole('button', { name: 'Dismiss' });
  while ((await messages.count()) > 0) await messages.first().click();
  await page.mouse.move(0, 0);
  await page.screenshot({ path: SCREENSHOT });
}

async function flatten(person, house) {
  const { page } = person;
  if (process.env.KEYHOLD_SCREENSHOT === '1') {
    await page.getByRole('img', { name: /candles; ([5-9]|\d\d) entries/ }).waitFor();
  }
  await freezeInPosition(person, house);
  await page.getByRole('table', { name: 'Open positions' }).waitFor();
  if (process.env.KEYHOLD_SCREENSHOT === '1') await picture(page);
  await page.getByRole('button', { name: 'Flatten…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Flatten BTC quick' });
  await dialog.getByRole('button', { name: 'Flatten 1 position' }).click();
  await dialog.getByText(/^Flat at \d/).waitFor();
  await dialog.getByRole('button', { name: 'Close', exact: true }).last().click();
  await state(person, 'paused');
  assert.deepEqual(await openAtExchange(house), [], 'the exchange agrees');
  await page.getByRole('button', { name: 'Resume', exact: true }).click();
  await state(person, 'online');
  await house.venue('resume', { pace: '20' });
}

async function stop(person, house) {
  const { page } = person;
  await freezeInPosition(person, house);
  await page.getByRole('table', { name: 'Open positions' }).waitFor();
  assert.equal(house.bots().length, 1, 'one bot runs');
  assert.equal((await openAtExchange(house)).length, 1, 'the exchange knows the position');
  assert.ok(house.remains().length > 0, 'it has a folder');
  await page.getByRole('button', { name: 'Stop…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Stop BTC quick' });
  const go = dialog.getByRole('button', { name: 'Stop bot' });
  assert.equal(await go.getAttribute('aria-disabled'), 'true', 'no choice is made for the person');
  await dialog.getByRole('radio', { name: /Close them/ }).check();
  await go.click();
  await state(person, 'stopped');
  assert.deepEqual(await openAtExchange(house), [], 'the position is closed');
  assert.deepEqual(house.bots(), [], 'no process is left');
  assert.deepEqual(house.remains(), [], 'no folder and no socket is left');
}
