// The browser of the journeys: how it is started, a passkey device made of software, a collector that fails a journey
// on any console message, and the accessibility check. Knows no page and no server.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const PROGRAM = process.env.KEYHOLD_CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** How long a page may take for anything on a loaded machine; only ends a hopeless run. */
const PATIENCE_MS = 60_000;

/** What every browser of the journeys is started with. */
export const launch = { executablePath: PROGRAM, args: FLAGS };

/** A browser with one person at one page. More people come by `join`. */
export async function openBrowser(t, options = {}) {
  const browser = await chromium.launch(launch);
  t.after(() => browser.close());
  const person = await enter(t, await browser.newContext(looks(options)));
  person.join = async (other = {}) => enter(t, await browser.newContext(looks({ ...options, ...other })));
  return person;
}

const looks = ({ url, width = 1360, height = 850, theme = 'dark' }) => ({
  baseURL: url,
  viewport: { width, height },
  colorScheme: theme,
  permissions: ['clipboard-read', 'clipboard-write'],
});

/** A person at the first page of a browser context: counted clicks and fields, a passkey device, ears for messages. */
export async function enter(t, context) {
  const page = context.pages()[0] ?? (await context.newPage());
  context.setDefaultTimeout(PATIENCE_MS);
  const messages = [];
  page.on('console', (message) =>
    messages.push(`${message.type()}: ${message.text()} (${message.location().url})`),
  );
  page.on('pageerror', (error) => messages.push(`uncaught: ${error.message}`));
  // One session for everything: closing a second one would switch the passkey device off.
  const session = await context.newCDPSession(page);
  const device = await passkeyDevice(session);
  let clicks = 0;
  let fields = 0;
  return {
    page,
    context,
    device,
    session,
    /** Clicks like a person and counts it; the first minutes are measured in clicks. */
    async click(target) {
      clicks += 1;
      await target.click();
    },
    /** Types into a field and counts it. */
    async fill(target, text) {
      fields += 1;
      await target.fill(text);
    },
    effort: () => ({ clicks, fields }),
    /** Fails when the page said anything that was not expected; what was said is forgotten. */
    quiet(where, ...expected) {
      const rest = messages.splice(0).filter((message) => !expected.some((pattern) => pattern.test(message)));
      assert.deepEqual(rest, [], `${where}: the page wrote to the console`);
    },
    accessible: (name) => accessible(session, name),
    /** Everything that assistive technology is told, as one text. */
    async spoken() {
      const { nodes } = await session.send('Accessibility.getFullAXTree');
      return JSON.stringify(nodes);
    },
    /** One step of a journey; its failure says where the page was and what it showed. */
    async step(name, action) {
      const started = Date.now();
      try {
        await action();
      } catch (error) {
        const alerts = await page
          .locator('[role="alert"]')
          .allInnerTexts()
          .catch(() => []);
        error.message = `${name}: ${error.message}\n  at ${page.url()}, alerts: ${JSON.stringify(alerts)}`;
        const folder = process.env.KEYHOLD_E2E_PICTURES;
        if (folder) await page.screenshot({ path: `${folder}/failed.png` }).catch(() => undefined);
        throw error;
      }
      t.diagnostic(`${name}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
    },
  };
}

/** A discoverable, user-verifying authenticator that answers without a person. */
async function passkeyDevice(session) {
  await session.send('WebAuthn.enable', { enableUI: false });
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return {
    credentials: async () => (await session.send('WebAuthn.getCredentials', { authenticatorId })).credentials,
    /** Lets ceremonies wait for a touch, or answers them at once. */
    present: (enabled) =>
      session.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled }),
    /** Makes the next ceremonies fail as when the finger is not recognized. */
    refuse: (refusing) =>
      session.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: !refusing }),
  };
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Runs axe in a world of its own, so that the page's policy stays as strict as for everybody. */
async function accessible(session, name) {
  const { frameTree } = await session.send('Page.getFrameTree');
  const world = { frameId: frameTree.frame.id, worldName: 'axe' };
  const { executionContextId } = await session.send('Page.createIsolatedWorld', world);
  const run = async (expression) => {
    const answer = await session.send('Runtime.evaluate', {
      expression,
      contextId: executionContextId,
      awaitPromise: true,
    });
    assert.equal(answer.exceptionDetails, undefined, `axe failed on ${name}`);
    return answer.result.value;
  };
  await run(axe);
  const found = JSON.parse(
    await run(`axe.run(document, ${JSON.stringify({ runOnly: RULES })}).then((result) => JSON.stringify(
      result.violations.map((rule) => rule.id + ': ' + rule.nodes.map((node) => node.target.join(' ')).join(', '))))`),
  );
  assert.deepEqual(found, [], `accessibility of ${name}`);
}

/** Messages of the network layer about answers that a journey provokes on purpose. */
export const refusal = (status, path) => new RegExp(`^error: Failed to load resource.*${status}.*${path}`);
