// One event stream for the whole browser. The tab that holds the lock reads it and passes every event to the others;
// when that tab closes, the next one takes the lock and resumes after the last id. Where a proxy swallows the stream
// the leader polls. Which stored answers an event changes is decided in patch.ts.

import { cache } from '../api/cache.svelte';
import { PREFIX } from '../api/client';
import { applyEvent } from './patch';
import { backoff, StreamReader, StreamRefused, type StreamEnd } from './reader';
import type { ServerEvent } from './sse';

export type LiveState = 'connecting' | 'live' | 'reconnecting' | 'polling' | 'offline';

const LOCK = 'keyhold-live';
const SILENCE_MS = 10_000;
const POLL_EVERY_MS = 10_000;
const SILENT_BEFORE_POLLING = 3;
const RETRY_STREAM_AFTER_POLLS = 6;

type Message =
  | { kind: 'event'; event: ServerEvent; lastId: string | null }
  | { kind: 'sign'; state: LiveState; lastId: string | null }
  | { kind: 'gap' }
  | { kind: 'poll' };

class Live {
  state = $state<LiveState>('connecting');
  /** When anything was last heard, by this tab's clock. */
  lastSignAt = $state(Date.now());
  leading = $state(false);
  #stop: AbortController | null = null;
  #channel: BroadcastChannel | null = null;
  #refused: (() => void) | null = null;
  #listeners = new Set<(name: string, data: unknown) => void>();

  /** Starts listening; called after sign-in. `refused` is called when the server ends the session. */
  start(refused: () => void): void {
    if (this.#stop) return;
    const stop = new AbortController();
    this.#stop = stop;
    this.#refused = refused;
    this.state = 'connecting';
    this.lastSignAt = Date.now();
    if ('BroadcastChannel' in globalThis) {
      this.#channel = new BroadcastChannel(LOCK);
      this.#channel.onmessage = (message: MessageEvent<Message>) => this.#hear(message.data);
    }
    window.addEventListener('offline', this.#connectivity);
    window.addEventListener('online', this.#connectivity);
    void this.#lead(stop.signal);
  }

  /** Stops listening; called at sign-out. */
  stop(): void {
    this.#stop?.abort();
    this.#stop = null;
    this.#channel?.close();
    this.#channel = null;
    this.leading = false;
    window.removeEventListener('offline', this.#connectivity);
    window.removeEventListener('online', this.#connectivity);
  }

  /** Tells about every event, for pages that show something no stored answer holds. Returns the way to stop. */
  listen(listener: (name: string, data: unknown) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  readonly #connectivity = (): void => {
    if (navigator.onLine === false) this.state = 'offline';
    else if (this.state === 'offline') this.state = 'reconnecting';
  };

  #lastId: string | null = null;

  async #lead(stop: AbortSignal): Promise<void> {
    // Without locks (old browsers) every tab reads its own stream; correct, only less frugal.
    if (!('locks' in navigator)) return this.#loop(stop);
    try {
      await navigator.locks.request(LOCK, { signal: stop }, () => this.#loop(stop));
    } catch (error) {
      if (!stop.aborted) throw error;
    }
  }

  async #loop(stop: AbortSignal): Promise<void> {
    this.leading = true;
    const reader = new StreamReader(
      browserSource,
      {
        onOpen: () => this.#sign('live'),
        onSign: () => this.#sign('live', reader.lastId),
        onGap: () => this.#gap(),
        onEvent: (event) => this.#pass(event, reader.lastId),
      },
      SILENCE_MS,
    );
    reader.lastId = this.#lastId;
    let failures = 0;
    let silences = 0;
    while (!stop.aborted) {
      const opened = Date.now();
      const end = await reader.run(stop);
      if (end === 'stopped') return;
      if (end === 'refused') {
        this.#refused?.();
        return;
      }
      silences = end === 'silent' ? silences + 1 : 0;
      failures = Date.now() - opened > SILENCE_MS ? 0 : failures + 1;
      if (silences >= SILENT_BEFORE_POLLING) {
        await this.#poll(stop);
        continue;
      }
      this.#sign(navigator.onLine === false ? 'offline' : 'reconnecting');
      await wait(this.#pause(end, failures), stop);
    }
  }

  #pause(end: StreamEnd, failures: number): number {
    return end === 'ended' && failures === 0 ? 0 : backoff(failures);
  }

  /** Some proxies hold the stream back: ask for everything shown every ten seconds, then try the stream again. */
  async #poll(stop: AbortSignal): Promise<void> {
    for (let n = 0; n < RETRY_STREAM_AFTER_POLLS && !stop.aborted; n += 1) {
      this.#send({ kind: 'poll' });
      cache.invalidateAll();
      this.#sign('polling');
      await wait(POLL_EVERY_MS, stop);
    }
  }

  #pass(event: ServerEvent, lastId: string | null): void {
    this.#lastId = lastId;
    this.#send({ kind: 'event', event, lastId });
    this.#apply(event);
  }

  #sign(state: LiveState, lastId: string | null = this.#lastId): void {
    this.state = state;
    if (state === 'live' || state === 'polling') this.lastSignAt = Date.now();
    this.#send({ kind: 'sign', state, lastId });
  }

  #gap(): void {
    this.#send({ kind: 'gap' });
    cache.invalidateAll();
  }

  #send(message: Message): void {
    this.#channel?.postMessage(message);
  }

  #hear(message: Message): void {
    if (this.leading) return;
    if (message.kind === 'gap' || message.kind === 'poll') {
      cache.invalidateAll();
      return;
    }
    this.#lastId = message.lastId;
    if (message.kind === 'sign') {
      this.state = message.state;
      if (message.state === 'live' || message.state === 'polling') this.lastSignAt = Date.now();
      return;
    }
    this.lastSignAt = Date.now();
    this.#apply(message.event);
  }

  #apply(event: ServerEvent): void {
    let data: unknown;
    try {
      data = JSON.parse(event.data);
    } catch {
      // A torn event means that something was missed.
      cache.invalidateAll();
      return;
    }
    applyEvent(cache, event.event, data);
    for (const listener of this.#listeners) listener(event.event, data);
  }
}

const browserSource = {
  async open(lastId: string | null, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const headers: Record<string, string> = { accept: 'text/event-stream' };
    if (lastId !== null) headers['last-event-id'] = lastId;
    const response = await fetch(`${PREFIX}/stream`, {
      headers,
      signal,
      cache: 'no-store',
      credentials: 'same-origin',
    });
    if (response.status === 401 || response.status === 403) throw new StreamRefused();
    if (!response.ok || !response.body) throw new Error(`stream answered ${response.status}`);
    return response.body;
  },
  now: () => Date.now(),
  every(ms: number, check: () => void): () => void {
    const timer = setInterval(check, ms);
    return () => clearInterval(timer);
  },
};

function wait(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      stop.removeEventListener('abort', done);
      resolve();
    }
    stop.addEventListener('abort', done);
  });
}

export const live = new Live();
