// The browser of the journeys: how it is started, a passkey device made of software, a collector that fails a journey
// on any console message, and the accessibility check. Knows no page.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
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

/** The server under test; journeys are skipped loudly without it. */
export const baseUrl = process.env.KEYHOLD_URL ?? null;
/** The one-time claim code, or the whole address the server printed. */
export const claimCode = process.env.KEYHOLD_CLAIM?.split('#').at(-1) ?? null;

/** Why a journey cannot run, for node:test's `skip`; false when it can. */
export function missing(...names) {
  const absent = names.filter((name) => !process.env[name]);
  if (!existsSync(PROGRAM)) absent.push(`the browser ${PROGRAM}`);
  if (absent.length === 0) return false;
  const text = `SKIPPED: ${absent.join(', ')} not given`;
  console.error(text);
  return text;
}

/**
 * A fresh browser with one page, a passkey device and a collector of messages.
 *
 * `expected` lists patterns of messages that the journey provokes on purpose, for example a refused sign-in.
 */
export async function open({ width = 1360, height = 900, theme = 'dark', passkeys = 'device' } = {}) {
  const browser = await chromium.launch({ executablePath: PROGRAM, args: FLAGS });
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    baseURL: baseUrl,
  });
  const page = await context.newPage();
  const messages = [];
  page.on('console', (message) =>
    messages.push(`${message.type()}: ${message.text()} (${message.location().url})`),
  );
  page.on('pageerror', (error) => messages.push(`uncaught: ${error.message}`));
  // One session for everything: closing a second one would switch the passkey device off.
  const session = await context.newCDPSession(page);
  const device = passkeys === 'device' ? await passkeyDevice(session) : null;
  let clicks = 0;
  return {
    page,
    context,
    device,
    /** Clicks like a person and counts it; the first-run budget is measured in clicks. */
    async click(target) {
      clicks += 1;
      await target.click();
    },
    get clicks() {
      return clicks;
    },
    /** Fails when the page said anything that was not expected. */
    quiet(...expected) {
      const rest = messages.filter((message) => !expected.some((pattern) => pattern.test(message)));
      assert.deepEqual(rest, [], 'the page wrote to the console');
    },
    accessible: (name) => accessible(session, name),
    /** Runs named steps; the first failure ends the journey and says what the page showed. */
    steps: (t) => async (name, action) => {
      try {
        await action();
        t.diagnostic(`ok: ${name}`);
      } catch (error) {
        const shown = await page
          .locator('[role="alert"]')
          .allInnerTexts()
          .catch(() => []);
        error.message = `${name}: ${error.message}\n  at ${page.url()}, alerts: ${JSON.stringify(shown)}`;
        throw error;
      }
    },
    close: () => browser.close(),
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

/** Waits until a condition holds; fails with its name after the limit. */
export async function eventually(name, condition, limitMs = 30_000) {
  const limit = Date.now() + limitMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > limit) assert.fail(`not within ${limitMs} ms: ${name}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Messages of the network layer about answers that a journey provokes on purpose. */
export const refusal = (status, path) => new RegExp(`^error: Failed to load resource.*${status}.*${path}`);
