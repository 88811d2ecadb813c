// Candles made by arithmetic, the same in every run: slow and fast waves with noise, so that templates of every kind
// enter and leave. Put into the library as an operator would, with the command line.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const MINUTE = 60_000;
const DAY = 1_440;

/** Writes one-minute candles of so many days as CSV. `skip` leaves out days, counted from 0. */
export function writeCandles(path, { from, days, skip = [] }) {
  const file = openSync(path, 'w');
  writeSync(file, 'open_time,open,high,low,close,volume\n');
  let noise = 12_345;
  const random = () => {
    noise = (Math.imul(noise, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return noise / 0x7fff_ffff - 0.5;
  };
  const wave = (minute, period, height) => height * Math.sin((2 * Math.PI * minute) / period);
  const middle = (minute) =>
    50_000 + wave(minute, 9 * DAY, 4_000) + wave(minute, 1.3 * DAY, 900) + wave(minute, 190, 150);
  let last = middle(0);
  for (let day = 0; day < days; day += 1) {
    const rows = [];
    for (let minute = day * DAY; minute < (day + 1) * DAY; minute += 1) {
      const open = last;
      const close = middle(minute + 1) + 60 * random();
      const high = Math.max(open, close) + 20 * (random() + 0.5);
      const low = Math.min(open, close) - 20 * (random() + 0.5);
      const prices = [open, high, low, close].map((price) => price.toFixed(1));
      const volume = (20 + 15 * (random() + 0.5) + Math.abs(close - open) / 5).toFixed(3);
      rows.push(`${from + minute * MINUTE},${prices.join(',')},${volume}\n`);
      last = Number(prices[3]);
    }
    if (!skip.includes(day)) writeSync(file, rows.join(''));
  }
  closeSync(file);
}

/** Puts a file into the library of a house, beside what its made-up exchange plays. */
export async function importCandles(house, path, symbol) {
  const library = join(house.folder, 'data', 'candles', 'simulated');
  const options = ['candles', 'import', path, '--symbol', symbol, '--timeframe', '1m', '--library', library];
  const { stdout } = await promisify(execFile)(house.program('keyhold'), options);
  assert.match(stdout, /\d/, 'the import says how much there was');
}
