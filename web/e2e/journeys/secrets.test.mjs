// Where the secret of a key must not be: in the page, in what assistive technology is told, in requests, in the browser's
// password manager, in its files. Each check that finds nothing has a control that finds something.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { chromium } from 'playwright-core';
import { enter, launch } from '../browser.mjs';
import { eventually, startHouse } from '../house.mjs';
import { claim, EMAIL, paste, settled } from '../person.mjs';

const SITE_PASSWORD = 'SeededSitePassword-5150';
const CONTROL = 'OrdinaryFormText-8086';
/** What Chromium notes when it is about to offer to save a password. */
const OFFER = /Decision: ASK the user|Show password prompt|Decision: SAVE/;

test('a secret leaves no trace in the browser', { timeout: 180_000 }, async (t) => {
  const house = await startHouse(t);
  const profile = mkdtempSync(join(tmpdir(), 'keyhold-profile-'));
  const context = await chromium.launchPersistentContext(profile, {
    ...launch,
    args: [...launch.args, '--password-store=basic'],
    // Playwright switches the password manager off; here it is what is looked at.
    ignoreDefaultArgs: ['--enable-automation', '--disable-component-extensions-with-background-pages'],
    baseURL: house.url,
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  t.after(async () => {
    await context.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  });
  const person = await enter(t, context);
  const { page, step } = person;
  const { key, secret } = house.keys.second;
  const sent = [];
  page.on('request', (request) => sent.push(request.postData() ?? ''));
  const notes = await passwordManager(context, house.url);
  const ordinary = await ordinaryForm(t);

  await step('control: the browser offers to save an ordinary sign-in', async () => {
    await page.bringToFront();
    await claim(person, house);
    await useOrdinaryForm(context, ordinary, notes);
    await eventually('the offer to save', async () => OFFER.test(await notes()));
  });
  await page.bringToFront();
  const before = (await notes()).length;

  await step('nothing is filled into the form for a key', async () => {
    await page.goto('/keys/new?environment=simulated');
    await settled(person);
    await page.getByLabel('API key', { exact: true }).click();
    await page.getByLabel('API secret', { exact: true }).click();
    assert.equal(await page.locator('input:autofill').count(), 0);
    assert.deepEqual(await values(page, [SITE_PASSWORD, EMAIL]), []);
    await ordinaryFields(page);
  });

  await step('typed by hand and left: gone from the page', async () => {
    await page.getByLabel('API secret', { exact: true }).pressSequentially(secret);
    assert.deepEqual(await values(page, [secret]), [secret], 'control: the search finds what is there');
    await page.keyboard.press('Tab');
    await page.getByText(`${secret.length} characters received`).first().waitFor();
    await absent(person, secret);
  });

  await step('pasted: gone from the page', async () => {
    await page.getByRole('button', { name: 'Replace' }).click();
    await page.getByLabel('Label', { exact: true }).fill('Paper second');
    await paste(person, page.getByLabel('API key', { exact: true }), key);
    await paste(person, page.getByLabel('API secret', { exact: true }), ` ${secret}\n`);
    await page.getByText('2 invisible or blank removed').waitFor();
    await absent(person, secret);
  });

  await step('sealed and tested: never sent, never shown', async () => {
    await page.getByRole('button', { name: 'Seal and test key' }).click();
    await page.getByText('Key saved and verified.').waitFor();
    await absent(person, secret);
    assert.ok(
      sent.some((body) => body.includes('Paper second')),
      'control: the request was seen',
    );
    assert.equal(sent.filter((body) => body.includes(secret)).length, 0, 'in no request');
    await page.goto('/keys');
    await settled(person);
  });

  await step('the browser offers to save nothing', async () => {
    const since = (await notes()).slice(before);
    assert.doesNotMatch(since, OFFER);
    assert.ok(!since.includes(secret));
  });

  await step('no file of the browser holds it', async () => {
    await context.close();
    assert.ok(filesWith(profile, CONTROL).length > 0, 'control: an ordinary field is remembered');
    assert.deepEqual(filesWith(profile, secret), []);
  });
});

/** Stores a login of the site, as the browser's own page for passwords does; answers how to read what it notes. */
async function passwordManager(context, url) {
  const page = await context.newPage();
  await page.goto('chrome://password-manager/passwords');
  await page.evaluate((login) => chrome.passwordsPrivate.addPassword(login), {
    url: `${url}/login`,
    username: EMAIL,
    password: SITE_PASSWORD,
    note: '',
    useAccountStore: false,
  });
  await page.goto('chrome://password-manager-internals');
  return () => page.evaluate(() => document.body.innerText);
}

/** Another site with an ordinary form, for the controls. */
async function ordinaryForm(t) {
  const form = `<!doctype html><title>Form</title><form action="/done">
    <input name="remark" aria-label="Remark"><input name="user" autocomplete="username" aria-label="User">
    <input name="word" type="password" autocomplete="current-password" aria-label="Word"><button>Send</button></form>`;
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(
      request.url.startsWith('/done')
        ? '<!doctype html><title>Done</title><p>Thank you for your remark.</p>'
        : form,
    );
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `http://localhost:${server.address().port}/`;
}

async function useOrdinaryForm(context, url, notes) {
  const page = await context.newPage();
  await page.goto(url);
  // The password manager looks up what it knows before it follows what is typed.
  await eventually('the form is noticed', async () => /OnGetPasswordStoreResults/.test(await notes()));
  await page.getByLabel('Remark').pressSequentially(CONTROL);
  await page.getByLabel('User').pressSequentially('somebody');
  await page.getByLabel('Word').pressSequentially('another-password-99');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.getByText('Thank you').waitFor();
}

/** Control: a plain password field in the same page, which the browser fills, and which is taken away again. */
async function ordinaryFields(page) {
  await page.evaluate(() => {
    const form = document.createElement('form');
    for (const [type, use] of [
      ['text', 'username'],
      ['password', 'current-password'],
    ]) {
      const field = document.createElement('input');
      Object.assign(field, { type, autocomplete: use });
      form.append(field);
    }
    form.id = 'control';
    document.querySelector('main').append(form);
  });
  await page.locator('#control [type=password]:autofill').waitFor();
  await page.evaluate(() => document.querySelector('#control').remove());
}

/** Which of the texts stand in an input, a text area or a stored item. */
const values = (page, texts) =>
  page.evaluate((wanted) => {
    const fields = [...document.querySelectorAll('input, textarea')].map((field) => field.value);
    const stored = [window.localStorage, window.sessionStorage].flatMap((store) =>
      Object.values({ ...store }),
    );
    const all = [...fields, ...stored].join('\n');
    return wanted.filter((text) => all.includes(text));
  }, texts);

async function absent(person, secret) {
  assert.deepEqual(await values(person.page, [secret]), [], 'in no input and no store');
  assert.ok(!(await person.page.content()).includes(secret), 'not in the document');
  const spoken = await person.spoken();
  assert.ok(spoken.includes('API'), 'control: the accessibility tree was read');
  assert.ok(!spoken.includes(secret), 'not told to assistive technology');
}

/** The files below a folder that hold a text, in the encodings that Chromium writes. */
function filesWith(folder, text) {
  const forms = [Buffer.from(text, 'utf8'), Buffer.from(text, 'utf16le')];
  const found = [];
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    const bytes = readFileSync(path);
    if (forms.some((form) => bytes.includes(form))) found.push(path);
  }
  return found;
}
