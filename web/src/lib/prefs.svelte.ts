// What this device remembers about looks. The only file that touches web storage; nothing secret ever goes there.

export type Theme = 'system' | 'dark' | 'light';
export type Palette = 'clear' | 'classic' | 'east';
export type Density = 'comfortable' | 'compact';

interface Prefs {
  theme: Theme;
  palette: Palette;
  density: Density;
  hideAmounts: boolean;
  shortcuts: boolean;
  environment: string | null;
}

const NAME = 'keyhold-looks';
const STANDARD: Prefs = {
  theme: 'system',
  palette: 'clear',
  density: 'comfortable',
  hideAmounts: false,
  shortcuts: true,
  environment: null,
};

function read(): Prefs {
  try {
    // eslint-disable-next-line no-restricted-globals -- looks only, see the head of this file
    const text = localStorage.getItem(NAME);
    return text ? { ...STANDARD, ...(JSON.parse(text) as Partial<Prefs>) } : { ...STANDARD };
  } catch {
    return { ...STANDARD };
  }
}

export const prefs = $state<Prefs>(read());

/** Counts changes of colors; charts redraw when it moves. */
export const looks = $state({ version: 0 });

/** Changes looks, applies and remembers them. */
export function setPrefs(change: Partial<Prefs>): void {
  Object.assign(prefs, change);
  applyPrefs();
  try {
    // eslint-disable-next-line no-restricted-globals -- looks only, see the head of this file
    localStorage.setItem(NAME, JSON.stringify(prefs));
  } catch {
    // Private windows may refuse; the choice then lasts until the tab closes.
  }
}

/** Writes the looks onto the document; called before the first paint. */
export function applyPrefs(): void {
  const root = document.documentElement;
  if (prefs.theme === 'system') delete root.dataset['theme'];
  else root.dataset['theme'] = prefs.theme;
  root.dataset['palette'] = prefs.palette;
  root.dataset['density'] = prefs.density;
  looks.version += 1;
}

// With the system's theme, what is drawn on a canvas must follow it, too.
globalThis
  .matchMedia?.('(prefers-color-scheme: dark)')
  .addEventListener('change', () => (looks.version += 1));
