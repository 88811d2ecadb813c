// Every page, with real content, under the policy that production sends: silent, accessible on desktop and phone in both
// themes, and usable with the keyboard alone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openBrowser, refusal } from '../browser.mjs';
import { eventually, startHouse } from '../house.mjs';
import { inspect, picture } from '../inspect.mjs';
import { api, claim, paperBot, QUICK, settled } from '../person.mjs';

test('every page is silent, accessible and usable by keyboard', { timeout: 300_000 }, async (t) => {
  const house = await startHouse(t);
  const person = await openBrowser(t, { url: house.url });
  const { page, step } = person;

  await step('unclaimed', () => inspect(person, ['/', '/claim']));
  await step('claim and a paper bot with a quick template', async () => {
    await claim(person, house);
    person.quiet('claiming', refusal(401, '/me'));
  });
  await step('pages without content', () =>
    inspect(person, [
      '/',
      '/bots',
      '/keys',
      '/backtests',
      '/backtests/new',
      '/trades',
      '/activity',
      '/welcome',
      '/welcome/paper',
    ]),
  );

  let bot;
  let trade;
  await step('content', async () => {
    bot = await paperBot(person);
    const { body } = await api(person, 'POST', '/templates', { document: QUICK });
    await api(person, 'PATCH', `/bots/${bot.id}`, { template_id: body.id });
    trade = await eventually(
      'a closed trade',
      async () => (await api(person, 'GET', '/trades?limit=1')).body.items[0],
    );
    // From here on nothing changes under the eyes of the checks.
    await house.venue('pause');
  });

  await step('the keyboard alone', () => keyboard(person));
  await step('dialogs', () => dialogs(person, bot));
  await step('pages with content', async () => {
    const mine = trade.template ?? bot.template.id;
    await inspect(person, [
      '/',
      '/welcome',
      '/bots',
      ...['', '/decisions', '/orders', '/settings', '/log'].map((tab) => `/bots/${bot.id}${tab}`),
      '/keys',
      '/keys/new',
      '/keys/new?environment=simulated',
      `/keys/${bot.key.id}`,
      '/templates',
      '/templates/new',
      `/templates/${mine}`,
      `/templates/${mine}/edit`,
      '/trades',
      `/trades/${trade.id}`,
      '/activity',
      '/protections',
      ...['security', 'sessions', 'looks', 'close'].map((part) => `/account/${part}`),
      '/nowhere',
    ]);
  });

  await step('pages outside', async () => {
    const guest = await person.join();
    await inspect(guest, ['/login', '/register', '/claim'], refusal(401, '/me'));
  });
  assert.equal(page.isClosed(), false);
});

/** Opens what lies over a page. */
async function dialogs(person, bot) {
  const { page } = person;
  await page.goto('/bots?deploy=new');
  await look(person, 'Deploy bot');
  await page.goto(`/bots/${bot.id}`);
  await page.getByRole('button', { name: 'Flatten…' }).click();
  await look(person, /^Flatten/);
  await page.getByRole('button', { name: 'Stop…' }).click();
  await look(person, /^Stop/);
  await page.getByRole('heading', { level: 1 }).focus();
  await page.keyboard.press('?');
  await look(person, /shortcuts/i);
}

async function look(person, name) {
  const { page } = person;
  const dialog = page.getByRole('dialog', { name });
  await dialog.waitFor();
  await settled(person);
  await person.accessible(`dialog ${name}`);
  await picture(person, `dialog ${name}`);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  person.quiet(`dialog ${name}`);
}

/** Primary actions, in reach by Tab; every navigation by Enter moves the focus to the page's heading. */
async function keyboard(person) {
  const { page } = person;
  for (const [address, action] of [
    ['/', 'Deploy bot'],
    ['/bots', 'Deploy bot'],
    ['/keys', 'Add API key'],
    ['/templates', 'New template'],
    ['/backtests', 'New backtest'],
  ]) {
    await page.goto(address);
    await settled(person);
    await page.keyboard.press('Tab');
    assert.equal(await focused(page), 'Skip to content', 'the first stop skips the navigation');
    await page.keyboard.press('Enter');
    await tabTo(page, action);
  }
  await page.goto('/');
  await settled(person);
  for (const [link, heading] of [
    ['Bots', 'Bots'],
    ['Templates', 'Templates'],
    ['Backtests', 'Backtests'],
    ['Trades', 'Trades'],
    ['API keys', 'API keys'],
    ['Activity', 'Activity'],
    ['Account & security', 'Account & security'],
  ]) {
    await tabTo(page, link);
    await page.keyboard.press('Enter');
    const title = page.getByRole('heading', { name: heading, level: 1 });
    await title.waitFor();
    await eventually(`focus on ${heading}`, async () =>
      title.evaluate((element) => element === document.activeElement),
    );
    assert.match(await page.title(), new RegExp(`${heading.split(' ')[0]}.* · Keyhold$`));
    // The focus stands behind the navigation now; a new round begins at its start.
    await page.evaluate(() => {
      document.activeElement?.blur();
      window.getSelection()?.removeAllRanges();
    });
    await page.keyboard.press('Shift+Tab');
  }
}

const focused = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    return (element?.getAttribute('aria-label') ?? element?.textContent ?? '').trim();
  });

async function tabTo(page, name) {
  const MOST = 80;
  const seen = [];
  for (let stop = 0; stop < MOST; stop += 1) {
    await page.keyboard.press('Tab');
    const here = await focused(page);
    if (here === name) return;
    seen.push(here.slice(0, 30));
  }
  assert.fail(`Tab does not reach “${name}”: ${seen.join(' | ')}`);
}
