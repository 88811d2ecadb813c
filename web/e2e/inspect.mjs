// Looks at pages as people with different screens and themes meet them: silent, accessible, never wider than the screen.
// Pictures are kept where KEYHOLD_E2E_PICTURES says, for eyes; nothing compares them.

import assert from 'node:assert/strict';
import { settled } from './person.mjs';

const THEMES = ['dark', 'light'];
const SCREENS = [
  { width: 1360, height: 850 },
  { width: 360, height: 740 },
];
const PICTURES = process.env.KEYHOLD_E2E_PICTURES;

/** Looks at pages on both screens in both themes. */
export async function inspect(person, addresses, ...expected) {
  const { page } = person;
  for (const address of addresses) {
    for (const screen of SCREENS) {
      await page.setViewportSize(screen);
      await page.goto(address);
      await settled(person);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= screen.width, `${address} is ${wide} px wide on a screen of ${screen.width} px`);
      for (const theme of THEMES) {
        await page.emulateMedia({ colorScheme: theme });
        const name = `${address} ${theme} ${screen.width}`;
        await person.accessible(name);
        await picture(person, name, { fullPage: screen.width < 1000 });
      }
    }
    person.quiet(address, ...expected);
  }
  await page.setViewportSize(SCREENS[0]);
  await page.emulateMedia({ colorScheme: 'dark' });
}

/** Keeps a picture of what is shown now, where pictures are wanted. */
export async function picture(person, name, options = {}) {
  if (!PICTURES) return;
  const file = name.replaceAll(/[^a-z0-9]+/gi, '-').replaceAll(/^-|-$/g, '');
  await person.page.screenshot({ path: `${PICTURES}/${file}.png`, ...options });
}
