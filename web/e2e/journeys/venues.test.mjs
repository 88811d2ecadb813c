// A key of every exchange: its guide and fields, what the form notices, what the test says in that exchange's words, its
// markets. OKX, whose keys have a passphrase, is looked at in every detail.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openBrowser } from '../browser.mjs';
import { eventually, startHouse } from '../house.mjs';
import { claim, paste, settled } from '../person.mjs';

/** What the page says of a key that may only read: the boxes as each exchange names them. */
const OTHERS = [
  { exchange: 'bybit', name: 'Bybit', boxes: /tick Orders and Positions under Contract/, market: 'BTCUSDT' },
  {
    exchange: 'binance',
    name: 'Binance',
    boxes: /press Edit restrictions at this key and tick Enable Futures/,
    market: 'BTCUSDT',
  },
  {
    exchange: 'kraken_futures',
    name: 'Kraken Futures',
    boxes: /General API: Full access and Withdrawal API: No access/,
    market: 'PF_XBTUSD',
  },
  { exchange: 'bitmex', name: 'BitMEX', boxes: /lacks the permission Order/, market: 'XBTUSD' },
];

test('a paper key of every exchange, with its passphrase at OKX', { timeout: 240_000 }, async (t) => {
  const house = await startHouse(t, { venues: ['bybit', 'binance', 'kraken_futures', 'okx', 'bitmex'] });
  const person = await openBrowser(t, { url: house.url });
  const { page, step } = person;
  const { good, second, read_only: readOnly } = house.venues.okx.keys;
  const sent = [];
  page.on('request', (request) => sent.push(request.postData() ?? ''));

  await step('the exchange is chosen, its guide and its passphrase appear', async () => {
    await claim(person, house);
    await page.goto('/keys/new');
    await settled(person);
    assert.equal(await page.getByLabel('Passphrase', { exact: true }).count(), 0, 'Bybit has none');
    await page.getByRole('radio', { name: /^OKX/ }).check();
    await page.getByRole('radio', { name: /^Testnet/ }).check();
    await page.getByRole('heading', { name: '2. Create the key at OKX' }).waitFor();
    await page.getByRole('link', { name: 'Open OKX API page' }).waitFor();
    await page.getByText('Choose a passphrase for the key.').waitFor();
    await page.getByText('Checked on 2026-11-21').waitFor();
    await page.getByLabel('Passphrase', { exact: true }).waitFor();
    await page.getByRole('radio', { name: /^Paper/ }).check();
    await person.accessible('form of an OKX key');
  });

  await step('the site of the account is asked for where an exchange has several', async () => {
    const site = page.getByLabel('Site of your account');
    assert.equal(await site.count(), 0, 'a simulation has one');
    await page.getByRole('radio', { name: /^Testnet/ }).check();
    assert.equal(await site.inputValue(), 'global');
    await site.selectOption('European Economic Area: eea.okx.com');
    await page.getByText('Hosts that bots connect to').click();
    await page.getByText('eea.okx.com, wseeapap.okx.com:8443').waitFor();
    assert.match(page.url(), /site=european_economic_area/);
    const intents = [];
    page.on('request', (request) => {
      if (request.url().endsWith('/keys/intents')) intents.push(JSON.parse(request.postData()));
    });
    await site.selectOption('United States: us.okx.com');
    await eventually('the chosen site to be asked for', () =>
      intents.some((intent) => intent.site === 'united_states' && intent.environment === 'testnet'),
    );
    await page.getByRole('radio', { name: /^Bybit/ }).check();
    assert.equal(await site.count(), 0, 'the test system of Bybit is one');
    await page.getByRole('radio', { name: /^Live/ }).check();
    assert.equal(await site.inputValue(), 'global', 'the site of another exchange is forgotten');
    await page.getByRole('radio', { name: /^OKX/ }).check();
    await page.getByRole('radio', { name: /^Paper/ }).check();
  });

  await step('swapped parts and a missing passphrase are noticed before anything is sent', async () => {
    await page.getByLabel('Label', { exact: true }).fill('OKX paper');
    await paste(person, page.getByLabel('API key', { exact: true }), second.secret);
    await page.getByLabel('Label', { exact: true }).focus();
    await page.getByText('This looks like the API secret, not like the API key.').waitFor();
    await paste(person, page.getByLabel('API secret', { exact: true }), second.key);
    await page.getByText('This looks like the API key, not like the API secret.').waitFor();
    await page.getByRole('button', { name: 'Seal and test key' }).click();
    await page.getByText('Key and secret look swapped.').waitFor();
    await page.getByText('Paste the passphrase chosen for this key at the exchange.').waitFor();
    assert.ok(!sent.some((body) => body.includes('"envelope"')), 'nothing was sent');
  });

  await step('a wrong passphrase is named as such', async () => {
    await fill(person, { ...second, passphrase: 'not-the-passphrase' });
    await failedAt(person, 'passphrase', /It is the one you chose when creating this key/);
  });

  await step('a missing right names the box of OKX', async () => {
    await page.getByLabel('Label', { exact: true }).fill('OKX paper');
    await fill(person, readOnly);
    await failedAt(person, 'permissions', /press Edit at this key and tick Trade/);
  });

  await step('secret and passphrase pasted as one are taken apart, and the key works', async () => {
    await page.getByLabel('Label', { exact: true }).fill('OKX paper');
    await paste(person, page.getByLabel('API key', { exact: true }), good.key);
    await paste(person, page.getByLabel('API secret', { exact: true }), `${good.secret}:${good.passphrase}`);
    await page.getByText(`${good.secret.length} characters received`).first().waitFor();
    await page.getByText(`${good.passphrase.length} characters received`).first().waitFor();
    await page.getByRole('button', { name: 'Seal and test key' }).click();
    await page.getByText('Key saved and verified.').waitFor();
    const passphrase = page.locator('[data-step="passphrase"]');
    assert.equal(await passphrase.getAttribute('data-result'), 'passed');
    for (const part of [good.secret, good.passphrase]) {
      assert.equal(sent.filter((body) => body.includes(part)).length, 0, 'in no request');
      assert.ok(!(await page.content()).includes(part), 'not in the page');
    }
  });

  await step('its markets are those of OKX', async () => {
    await page.getByRole('checkbox', { name: /^BTC-USDT-SWAP/ }).check();
    await page.getByRole('button', { name: 'Save markets' }).click();
    await page.getByText('Markets of OKX paper saved.').waitFor();
    assert.equal(await page.getByRole('checkbox', { name: /^BTCUSDT/ }).count(), 0);
  });

  for (const { exchange, name, boxes, market } of OTHERS) {
    await step(
      `${name}: its own fields, a missing right in its words, a sound key, its markets`,
      async () => {
        const { keys } = house.venues[exchange];
        await page.goto(`/keys/new?exchange=${exchange}&environment=simulated`);
        await page.getByRole('heading', { name: `2. Create the key at ${name}` }).waitFor();
        const label = page.getByLabel('Label', { exact: true });
        await label.fill(`${name} paper`);
        assert.equal(await page.getByLabel('Passphrase', { exact: true }).count(), 0, 'only OKX has one');
        await fill(person, keys.read_only);
        await failedAt(person, 'permissions', boxes);
        await label.fill(`${name} paper`);
        await fill(person, keys.second);
        await page.getByText('Key saved and verified.').waitFor();
        await page.getByRole('checkbox', { name: new RegExp(`^${market}`) }).waitFor();
      },
    );
  }

  await step('all five stand in the list, each with its exchange', async () => {
    await page.goto('/keys');
    for (const name of ['OKX', ...OTHERS.map((other) => other.name)]) {
      const row = page.getByRole('row').filter({ hasText: `${name} paper` });
      await row.waitFor();
      assert.match(await row.innerText(), /Verified/, name);
    }
  });

  person.quiet('the whole journey');
});

/** Pastes the parts over whatever is there, the passphrase where there is one, and sends. */
async function fill(person, { key, secret, passphrase }) {
  const { page } = person;
  const apiKey = page.getByLabel('API key', { exact: true });
  await apiKey.fill('');
  await paste(person, apiKey, key);
  const replace = page.getByRole('button', { name: 'Replace' });
  while ((await replace.count()) > 0) await replace.first().click();
  await paste(person, page.getByLabel('API secret', { exact: true }), secret);
  await page.getByText(`${secret.length} characters received`).first().waitFor();
  if (passphrase) {
    await paste(person, page.getByLabel('Passphrase', { exact: true }), passphrase);
    await page.getByText(`${passphrase.length} characters received`).first().waitFor();
  }
  await page.getByRole('button', { name: 'Seal and test key' }).click();
}

/** The test fails at a step with a remedy; then the key is deleted for another try. */
async function failedAt({ page }, at, says) {
  const failed = page.locator('[data-result="failed"]').first();
  await failed.waitFor();
  assert.equal(await failed.getAttribute('data-step'), at);
  await failed.locator('[data-advice]').first().waitFor();
  assert.match(await failed.innerText(), says);
  await page.getByRole('button', { name: 'Delete and paste again' }).click();
  await page.getByRole('heading', { name: '3. Paste it here' }).waitFor();
}
