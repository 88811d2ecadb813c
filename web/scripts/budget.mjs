// Weighs the build against the budgets and fails above them. Run after `npm run build`.

import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const DIST = new URL('../dist/', import.meta.url);
const KB = 1000;
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', DIST), 'utf8'));
const gz = (file) => gzipSync(readFileSync(new URL(file, DIST)), { level: 9 }).length;

/** All files a chunk needs at once, itself included. */
function closure(key, seen = new Set()) {
  if (seen.has(key)) return seen;
  seen.add(key);
  for (const next of manifest[key].imports ?? []) closure(next, seen);
  return seen;
}
const scripts = (keys) => [...keys].reduce((sum, key) => sum + gz(manifest[key].file), 0);

const entryKey = Object.keys(manifest).find((key) => manifest[key].isEntry);
const entry = closure(entryKey);
const lines = [['entry JS', scripts(entry), 60 * KB]];
for (const key of manifest[entryKey].dynamicImports ?? []) {
  const own = new Set([...closure(key)].filter((item) => !entry.has(item)));
  lines.push([`route ${key.split('/').at(-1)}`, scripts(own), 40 * KB]);
}
const chart = Object.keys(manifest).find((key) => key.endsWith('chartLibrary.ts'));
if (chart) {
  lines.push(['charts', scripts(new Set([...closure(chart)].filter((item) => !entry.has(item)))), 60 * KB]);
}
const files = readdirSync(new URL('assets/', DIST));
const sum = (ending) =>
  files.filter((file) => file.endsWith(ending)).reduce((all, file) => all + gz(`assets/${file}`), 0);
lines.push(['all CSS', sum('.css'), 14 * KB], ['fonts', sum('.woff2'), 120 * KB]);

let over = 0;
for (const [name, size, limit] of lines) {
  const bad = size > limit;
  over += bad ? 1 : 0;
  console.log(
    `${bad ? 'OVER ' : 'ok   '} ${(size / KB).toFixed(1).padStart(6)} of ${limit / KB} kB gz  ${name}`,
  );
}
process.exit(over ? 1 : 0);
