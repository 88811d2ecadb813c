// Self-hosted type. The files are fetched like any other data and handed to the browser as bytes, because the page's
// policy has no font source; until they are there, or without them, the system's own type is used.

import inter from '@fontsource-variable/inter/files/inter-latin-wght-normal.woff2?url';
import mono from '@fontsource-variable/jetbrains-mono/files/jetbrains-mono-latin-wght-normal.woff2?url';

async function load(family: string, url: string): Promise<void> {
  const response = await fetch(url);
  if (!response.ok) return;
  const face = new FontFace(family, await response.arrayBuffer(), { weight: '100 900', style: 'normal' });
  document.fonts.add(await face.load());
}

/** Loads both families in the background. A failure leaves the system's type in place. */
export function loadFonts(): void {
  void Promise.allSettled([load('Inter', inter), load('JetBrains Mono', mono)]);
}
