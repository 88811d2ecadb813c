// Backtests with the real server: from an empty list over candles, a refused form and a watched run to figures and
// trades; a long run is canceled; two results are compared; candles are fetched from the exchange.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openBrowser, refusal } from '../browser.mjs';
import { importCandles, writeCandles } from '../candles.mjs';
import { eventually, startHouse } from '../house.mjs';
import { inspect } from '../inspect.mjs';
import { api, choose, claim, QUICK, settled } from '../person.mjs';

const DAY_MS = 86_400_000;
const FROM = Date.UTC(2024, 0, 1);
const WHOLE = 'BTCUSDT';
const DAYS = 160;
/** With a day missing. */
const TORN = 'ETHUSDT';
const TORN_DAYS = 40;
/** Computes means over many candles again on every candle, so that its run takes seconds on any machine. */
const SLOW = {
  ...QUICK,
  name: 'Slow means',
  description: 'Sixty indexes that all go over hundreds of candles.',
  components: Array.from({ length: 60 }, (_, index) => ({
    kind: 'cci',
    role: 'signal',
    parameters: { period: `${440 + index}` },
    weight: '1',
  })),
};
/** Runs are computed at the lowest priority, so a busy machine may take its time; this only ends a hopeless wait. */
const PATIENCE_MS = 400_000;

test('backtests are run, watched, canceled and compared', { timeout: 1_800_000 }, async (t) => {
  const house = await startHouse(t);
  const person = await openBrowser(t, { url: house.url });
  const { step } = person;
  await claim(person, house);
  person.quiet('claiming', refusal(401, '/me'));
  await api(person, 'POST', '/templates', { document: SLOW });

  await step('nothing yet', () => empty(person));
  await step('candles are imported', async () => {
    const file = join(house.folder, 'candles.csv');
    writeCandles(file, { from: FROM, days: DAYS });
    await importCandles(house, file, WHOLE);
    writeCandles(file, { from: FROM, days: TORN_DAYS, skip: [20] });
    await importCandles(house, file, TORN);
  });
  await step('what is wrong stands at its field', () => refused(person));
  const ids = [];
  await step('a built-in template is run', async () => ids.push(await completed(person, 'Momentum')));
  await step('its result is complete', () => result(person));
  await step('its files are saved', () => saved(person));
  await step('a long run is canceled', () => canceled(person));
  await step('it is repeated with another slippage', async () => ids.push(await repeated(person, ids[0])));
  await step('two results are compared', () => compared(person));
  await step('every page in every look', () =>
    inspect(person, [
      '/backtests',
      '/backtests/new',
      `/backtests/new?from=${ids[0]}`,
      `/backtests/${ids[0]}`,
      `/backtests/compare?ids=${ids.join(',')}`,
      '/backtests/compare',
    ]),
  );
  await step('candles are fetched from the exchange', () => fetched(person));
  await step('a result is deleted', () => deleted(person, ids[1]));
});

async function empty(person) {
  const { page } = person;
  await page.goto('/backtests');
  await page.getByText('No backtest yet').waitFor();
  await page.getByRole('link', { name: 'New backtest' }).first().click();
  await page.getByRole('heading', { name: 'New backtest', level: 1 }).waitFor();
  await page.getByText('No candles yet').waitFor();
  await page.getByRole('button', { name: 'Run backtest' }).click();
  await page.getByText('Choose a market.').waitFor();
  await page.getByText('Choose a template.').waitFor();
  await person.accessible('an empty form that was sent');
  person.quiet('nothing yet');
}

/** Begins with the market's name, and not with a longer one. */
const named = (symbol) => new RegExp(`^\\s*${symbol}\\b`);

/** Waits for a job's state; a job that ended otherwise fails at once with what the page says. */
async function reached(where, state) {
  const shown = where.locator('[data-state]').first();
  await eventually(
    `the job is ${state}`,
    async () => {
      const now = await shown.getAttribute('data-state');
      if (now === state) return true;
      assert.match(
        now,
        /queued|running/,
        `the job ended: ${await where.locator('main, p').first().innerText()}`,
      );
      return false;
    },
    PATIENCE_MS,
  );
}

/** Opens the form and chooses a template and a market by its name. */
async function form(person, template, symbol) {
  const { page } = person;
  await page.goto('/backtests/new');
  await choose(page.getByLabel('Template', { exact: true }), template);
  await page.getByRole('checkbox', { name: named(symbol) }).check();
}

/** Sends the form and gives the id of the run. */
async function send(page) {
  await page.getByRole('button', { name: 'Run backtest' }).click();
  await page.waitForURL(/\/backtests\/(?!new)[^/?]+$/);
  return new URL(page.url()).pathname.split('/').at(-1);
}

async function refused(person) {
  const { page } = person;
  await form(person, 'Momentum', TORN);
  await choose(page.getByLabel('Range', { exact: true }), 'All there is');
  await page.getByText('1 gap in the range.').waitFor();
  const gaps = page.getByLabel('Gaps', { exact: true });
  await eventually('the gap is refused', async () => (await gaps.getAttribute('aria-invalid')) === 'true');
  await page.getByLabel('Leverage', { exact: true }).fill('0');
  await page.getByRole('button', { name: 'Run backtest' }).click();
  await page.getByText('A number of 1 or more.').waitFor();
  const focused = page.locator(':focus');
  await eventually(
    'the focus is at a wrong field',
    async () => (await focused.getAttribute('aria-invalid')) === 'true',
  );
  await page.getByLabel('Leverage', { exact: true }).fill('1');
  await gaps.selectOption('accept');
  await page.locator('[data-estimate]').waitFor();
  await eventually(
    'nothing is wrong',
    async () => (await page.locator('[aria-invalid="true"]').count()) === 0,
  );
  person.quiet('a form with problems');
}

async function completed(person, template) {
  const { page } = person;
  await form(person, template, WHOLE);
  await choose(page.getByLabel('Range', { exact: true }), 'Last 30 days');
  await page.locator('[data-estimate]').waitFor();
  const id = await send(page);
  await reached(page, 'completed');
  return id;
}

async function result(person) {
  const { page } = person;
  await settled(person);
  const figure = (name) => page.locator(`[data-figure="${name}"]`).innerText();
  assert.ok(Number(await figure('count')) > 0, 'it traded');
  assert.match(await figure('return'), /^[+−]?\d+\.\d\d %$/);
  assert.match(await page.title(), /^Momentum · Backtests · Keyhold$/);
  assert.equal(await page.getByText('Past results do not promise future ones.').count(), 2);
  await page.getByText(/^A decision at a candle’s close fills at the next/).waitFor();
  const chart = page.getByRole('img', { name: /Arrow keys read single points/ });
  await chart.locator('canvas').first().waitFor();
  await chart.focus();
  await page.keyboard.press('Home');
  await page
    .getByRole('status')
    .filter({ hasText: /Equity 10,000\.00 USDT, Buy and hold/ })
    .waitFor();
  await page.getByRole('button', { name: 'Show as table' }).click();
  await page.getByRole('region', { name: 'Equity, table' }).getByRole('row').nth(5).waitFor();
  await page.getByRole('button', { name: 'Show as chart' }).click();
  await chart.locator('canvas').first().waitFor();
  await page.getByRole('button', { name: 'Show definitions' }).click();
  await page.getByText('Net profit in percent of the starting equity.').waitFor();
  const trades = page.getByRole('table', { name: 'Trades of the run' });
  await trades
    .getByRole('button', { name: /Show trade/ })
    .first()
    .click();
  await page.getByRole('button', { name: 'Show everything' }).click();
  person.quiet('a result');
}

async function saved(person) {
  const { page } = person;
  for (const [entry, name, begins] of [
    ['Everything as JSON', 'backtest.json', '{'],
    ['Trades as CSV', 'trades.csv', 'id,symbol,side'],
    ['Report as one HTML page', 'backtest.html', '<!'],
  ]) {
    await page.getByRole('button', { name: 'More actions' }).click();
    const coming = page.waitForEvent('download');
    await page.getByRole('menuitem', { name: entry }).click();
    const file = await coming;
    assert.equal(file.suggestedFilename(), name);
    const text = readFileSync(await file.path(), 'utf8');
    assert.ok(text.trimStart().toLowerCase().startsWith(begins), `${name} begins with ${text.slice(0, 40)}`);
  }
  person.quiet('saving');
}

/** A fast machine may end the run before a person can cancel it; then another one is begun. */
async function canceled(person) {
  const { page } = person;
  const ATTEMPTS = 6;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if (await canceledInTime(page)) {
      await page.getByText('so there is no result').waitFor();
      await person.accessible('a canceled run');
      person.quiet('canceling', refusal(409, '/cancel'));
      return;
    }
  }
  assert.fail(`none of ${ATTEMPTS} long runs could be canceled before its end`);
}

async function canceledInTime(page) {
  await form({ page }, SLOW.name, WHOLE);
  await choose(page.getByLabel('Range', { exact: true }), 'All there is');
  await send(page);
  const state = () => page.locator('[data-state]').first().getAttribute('data-state');
  const seen = await eventually(
    'the run shows how far it is',
    async () => {
      if ((await state()) === 'completed') return 'ended';
      const texts = await page.locator('[data-progress]').allInnerTexts();
      const told = /^2024-\d\d-\d\d, \d+ %$/.test(texts[0] ?? '');
      return told && /^\d+ % · Backtest · Keyhold$/.test(await page.title()) ? 'running' : null;
    },
    PATIENCE_MS,
  );
  if (seen === 'ended') return false;
  const pressed = page.getByRole('button', { name: 'Cancel', exact: true }).click({ timeout: 10_000 });
  if (
    !(await pressed.then(
      () => true,
      () => false,
    ))
  )
    return false;
  await page.getByRole('button', { name: 'Cancel backtest' }).click();
  const end = await eventually(
    'the run has ended',
    async () => {
      const now = await state();
      return now === 'canceled' || now === 'completed' ? now : null;
    },
    PATIENCE_MS,
  );
  return end === 'canceled';
}

async function repeated(person, id) {
  const { page } = person;
  await page.goto(`/backtests/${id}`);
  await page.getByRole('link', { name: 'Re-run with…' }).click();
  const slippage = page.getByLabel('Slippage', { exact: true });
  await eventually('the form holds the run', async () =>
    page.getByRole('checkbox', { name: named(WHOLE) }).isChecked(),
  );
  await slippage.fill('25');
  const again = await send(page);
  assert.notEqual(again, id);
  await reached(page, 'completed');
  await page.getByText('Market orders and stops fill 25 basis points worse.').waitFor();
  person.quiet('repeating');
  return again;
}

async function compared(person) {
  const { page } = person;
  await page.goto('/backtests');
  const boxes = page.getByRole('checkbox', { name: /for a comparison$/ });
  await boxes.first().check();
  const compare = page.getByRole('button', { name: 'Compare', exact: false });
  assert.equal(await compare.getAttribute('aria-disabled'), 'true', 'one result is compared with nothing');
  await boxes.nth(1).check();
  await compare.click();
  await page.getByRole('heading', { name: 'Compare backtests', level: 1 }).waitFor();
  await page.getByRole('img', { name: /^Equity of 2 backtests/ }).waitFor();
  const figures = page.getByRole('table', { name: /^Figures of the compared/ });
  await figures.getByRole('row').filter({ hasText: 'Return, %' }).getByText('best').waitFor();
  await page.getByRole('table', { name: 'Assumptions in which' }).getByText('slippage_bps').waitFor();
  await page.getByText(/the same in all/).waitFor();
  person.quiet('comparing');
}

async function fetched(person) {
  const { page } = person;
  // The dialog begins with the chosen market, and so with the made-up exchange: nothing outside is asked.
  await form(person, 'Momentum', WHOLE);
  await page.getByRole('button', { name: 'Fetch candles…' }).first().click();
  const dialog = page.getByRole('dialog', { name: 'Fetch candles' });
  assert.equal(await dialog.getByLabel('Environment').inputValue(), 'simulated');
  const now = (
    await api(person, 'GET', '/instruments?exchange=bybit&environment=simulated&contract_type=inverse')
  ).body;
  const symbol = now[0]?.symbol;
  assert.ok(symbol, 'the exchange lists inverse contracts');
  await choose(dialog.getByLabel('Contract type'), 'Inverse');
  await dialog.getByLabel('Market').fill(symbol);
  await dialog.getByLabel('First day').fill(new Date(Date.now() - 2 * DAY_MS).toISOString().slice(0, 10));
  await dialog.getByLabel('Last day').fill('');
  await settled(person);
  await person.accessible('the dialog that fetches');
  await dialog.getByRole('button', { name: 'Fetch candles' }).click();
  await dialog.waitFor({ state: 'hidden' });
  const job = page.getByRole('list', { name: 'Candles being fetched' }).getByRole('listitem').first();
  await reached(job, 'completed');
  await page.getByRole('checkbox', { name: named(symbol) }).waitFor();
  await job.getByRole('button', { name: 'Remove' }).click();
  await job.waitFor({ state: 'detached' });
  person.quiet('fetching');
}

async function deleted(person, id) {
  const { page } = person;
  await page.goto(`/backtests/${id}`);
  await page.getByRole('button', { name: 'More actions' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await page.getByRole('button', { name: 'Delete backtest' }).click();
  await page.getByRole('heading', { name: 'Backtests', level: 1 }).waitFor();
  await page.goto(`/backtests/${id}`);
  await page.getByRole('heading', { name: 'Not found' }).waitFor();
  person.quiet('deleting', refusal(404, `/backtests/${id}`));
}
