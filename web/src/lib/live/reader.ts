// Reads one event stream until it ends or falls silent, and decides what a new connection means: a seamless
// continuation or a gap after which everything must be asked again. Knows no tabs and no cache; see live.svelte.ts.

import { createParser, type ServerEvent } from './sse';

export interface StreamSource {
  /** Opens the stream after the given event id; throws when the server cannot be reached or refuses. */
  open(lastId: string | null, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
  now(): number;
  /** Runs `check` every so often until the returned function is called. */
  every(ms: number, check: () => void): () => void;
}

export interface ReaderEvents {
  onOpen(): void;
  onEvent(event: ServerEvent): void;
  /** Any sign of life, comments included. */
  onSign(): void;
  /** Events may have been missed. */
  onGap(): void;
}

export type StreamEnd = 'ended' | 'silent' | 'unreachable' | 'refused' | 'stopped';

/** The stream's answer was a refusal, for example because the session ended. */
export class StreamRefused extends Error {
  override readonly name = 'StreamRefused';
}

const CHECK_EVERY_MS = 1_000;

export class StreamReader {
  /** The id to resume after; shared between tabs so that a new leader continues where the old one was. */
  lastId: string | null = null;
  #openedBefore = false;
  readonly #source: StreamSource;
  readonly #events: ReaderEvents;
  readonly #silenceMs: number;

  constructor(source: StreamSource, events: ReaderEvents, silenceMs: number) {
    this.#source = source;
    this.#events = events;
    this.#silenceMs = silenceMs;
  }

  /** One connection, from opening to its end. */
  async run(stop: AbortSignal): Promise<StreamEnd> {
    const abort = new AbortController();
    const forward = (): void => abort.abort();
    stop.addEventListener('abort', forward);
    let sign = this.#source.now();
    let silent = false;
    const cancelCheck = this.#source.every(CHECK_EVERY_MS, () => {
      if (this.#source.now() - sign <= this.#silenceMs) return;
      silent = true;
      abort.abort();
    });
    try {
      // Without an id to resume after, what happened between two connections is unknown.
      const gap = this.#openedBefore && this.lastId === null;
      const stream = await this.#source.open(this.lastId, abort.signal);
      this.#openedBefore = true;
      this.#events.onOpen();
      if (gap) this.#events.onGap();
      await this.#read(stream, abort.signal, () => {
        sign = this.#source.now();
        this.#events.onSign();
      });
      return stop.aborted ? 'stopped' : silent ? 'silent' : 'ended';
    } catch (error) {
      if (stop.aborted) return 'stopped';
      if (silent) return 'silent';
      return error instanceof StreamRefused ? 'refused' : 'unreachable';
    } finally {
      cancelCheck();
      stop.removeEventListener('abort', forward);
    }
  }

  async #read(stream: ReadableStream<Uint8Array>, signal: AbortSignal, onSign: () => void): Promise<void> {
    const parser = createParser(
      (event) => this.#take(event),
      () => undefined,
    );
    const reader = stream.getReader();
    const cancel = (): void => void reader.cancel().catch(() => undefined);
    signal.addEventListener('abort', cancel);
    const decoder = new TextDecoder();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        onSign();
        parser.push(decoder.decode(value, { stream: true }));
      }
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  #take(event: ServerEvent): void {
    if (event.event === 'reset') {
      // The server no longer has what came after our id.
      this.lastId = event.id;
      this.#events.onGap();
      return;
    }
    // A repeated event after a resume would be harmless for patches but not for counters.
    if (event.id !== null && event.id === this.lastId) return;
    if (event.id !== null) this.lastId = event.id;
    this.#events.onEvent(event);
  }
}

const BACKOFF_MS = [500, 1_000, 2_000, 5_000, 10_000];

/** How long to wait before attempt `failures` + 1. */
export function backoff(failures: number): number {
  return BACKOFF_MS[Math.min(failures, BACKOFF_MS.length - 1)] ?? 10_000;
}
