// The house under test: the real keeper, server and bots on a made-up exchange, started by `xtask demo`. Knows processes
// and folders, no page. A house that leaves a process or its folder behind fails the journey.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TARGET = process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target');
const PROGRAM = join(TARGET, 'debug', 'xtask');

/** Generous: they only end a hopeless run. */
const START_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 90_000;

/** Houses that were not stopped; nothing of them may outlive this process. */
const standing = new Set();
process.on('exit', () => standing.forEach((house) => house.raze()));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => process.exit(1));
}

/** Waits until a condition holds and gives its value; fails with its name after the limit. */
export async function eventually(name, condition, limitMs = 60_000) {
  const limit = Date.now() + limitMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > limit) assert.fail(`not within ${limitMs} ms: ${name}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Starts a house; `t.after` stops it and checks that nothing is left. */
export async function startHouse(t, { speed = 20, seed = 11, venues = ['bybit'], ends = 'in order' } = {}) {
  assert.ok(existsSync(PROGRAM), `${PROGRAM} is missing: run cargo build --workspace --bins`);
  const house = new House(speed, seed, venues);
  standing.add(house);
  t.after(() => house.stop(ends));
  await house.started();
  return house;
}

class House {
  #child;
  #ended;
  #said = '';

  constructor(speed, seed, venues) {
    const options = ['demo', '--for-tests', '--port', '0', '--speed', `${speed}`, '--seed', `${seed}`];
    options.push('--venue', venues.join(','));
    this.#child = spawn(PROGRAM, options, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stderr.on('data', (data) => (this.#said += data));
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(`could not start: ${error.message}`));
      this.#child.once('exit', (code, signal) => resolve(signal ?? code));
    });
  }

  // What the one line says: `url`, `claim`, `folder`, the first exchange's `control` and `keys`, and those of all
  // `venues` by name.

  /** Reads the one line that says where everything is. */
  async started() {
    const lines = createInterface({ input: this.#child.stdout });
    const announced = new Promise((resolve) => {
      lines.on('line', (line) => {
        if (line.startsWith('{')) resolve(JSON.parse(line));
      });
    });
    const late = new Promise((resolve) => setTimeout(resolve, START_LIMIT_MS, null).unref());
    const told = await Promise.race([announced, this.#ended.then(() => null), late]);
    assert.ok(told, `the house did not start: ${this.#said}`);
    Object.assign(this, told);
  }

  /** Tells the made-up exchange to do something: `down`, `up`, `price`, … */
  async venue(order, body = {}) {
    const answer = await fetch(`http://${this.control}/${order}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    assert.ok(answer.ok, `the exchange refused ${order}: ${await answer.clone().text()}`);
    return answer.json();
  }

  /** Every process that works for this house, by its command line. */
  processes() {
    if (!this.folder) return [];
    const found = [];
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      const line = textOf(`/proc/${name}/cmdline`).replaceAll('\0', ' ').trim();
      if (line.includes(this.folder)) found.push({ pid: Number(name), line });
    }
    return found;
  }

  /** The processes of bots, also of those that only test a key. */
  bots = () => this.processes().filter(({ line }) => /^\S*keyhold-bot-\w+ /.test(line));

  /** What the instances of bots wrote: folders, sockets, files. */
  remains() {
    const run = join(this.folder, 'run', 'bots');
    return existsSync(run) ? readdirSync(run, { recursive: true }) : [];
  }

  /** Ends the server without giving it a chance to clean up. */
  killServer() {
    const server = this.processes().find(({ line }) => /^\S*keyhold serve /.test(line));
    assert.ok(server, 'the server runs');
    process.kill(server.pid, 'SIGKILL');
  }

  /** Where one of our programs is. */
  program = (name) => join(TARGET, 'debug', name);

  /** What a program wrote to its log. */
  log = (program) => textOf(join(this.folder, `${program}.log`));

  /** Ends everything. `in order` also checks that the programs did it by themselves and left nothing. */
  async stop(ends) {
    if (!standing.has(this)) return;
    this.#child.kill('SIGTERM');
    const late = new Promise((resolve) => setTimeout(resolve, STOP_LIMIT_MS, 'too late').unref());
    const code = await Promise.race([this.#ended, late]);
    const left = this.processes();
    const folder = this.folder && existsSync(this.folder) ? this.folder : null;
    this.raze();
    if (ends !== 'in order') return;
    assert.deepEqual(left, [], 'processes are left');
    assert.equal(folder, null, 'a folder is left');
    assert.equal(code, 0, `xtask demo ended with ${code}: ${this.#said}`);
  }

  /** Removes by force whatever is there. */
  raze() {
    if (!standing.delete(this)) return;
    this.#child.kill('SIGKILL');
    for (const { pid } of this.processes()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself meanwhile.
      }
    }
    if (this.folder) rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A file's text; empty when it is gone, as files of ended processes are. */
function textOf(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
