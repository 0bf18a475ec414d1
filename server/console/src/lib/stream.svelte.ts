// The live log of the server. One connection for the whole console; it resumes where it broke off, and knows when it is stale.

import { clock } from './clock.svelte';
import { Failure, failureOf } from './failure';
import type { Schema } from './api';

export type Event = Schema['Event'];

/** The server beats every 5 s. */
const STALE_AFTER_MS = 15_000;
const RETRY_MOST_MS = 10_000;

type Listener = { topics: readonly string[]; hear: (event: Event) => void };

class Stream {
  /** By this page's steady clock. */
  #lastFrame = $state(performance.now());
  #opened = $state(false);
  #place: string | undefined;
  #listeners = new Set<Listener>();
  #gaps = new Set<() => void>();
  #running: AbortController | undefined;
  /** A wall shows its own token instead of a person's cookie. */
  #bearer: string | undefined;
  /** Something is wrong that trying again will not mend. */
  failure = $state.raw<Failure>();
  /** The reader wants the lists to stand still. */
  paused = $state(false);
  #tick = $state(0);

  constructor() {
    setInterval(() => this.#tick++, 1000);
  }

  start(bearer?: string): void {
    if (this.#running) return;
    this.#bearer = bearer;
    this.#running = new AbortController();
    void this.#run(this.#running.signal);
  }

  stop(): void {
    this.#running?.abort();
    this.#running = undefined;
    this.#opened = false;
  }

  /** Anew, at once: somebody signed in again, and what was read under the old sign-in may have failed. */
  again(): void {
    this.stop();
    this.start(this.#bearer);
    this.#returned();
  }

  /** Seconds without a word from the server, once that is too long; 0 while all is well. */
  get staleSeconds(): number {
    void this.#tick;
    const silent = performance.now() - this.#lastFrame;
    return silent < STALE_AFTER_MS ? 0 : Math.floor(silent / 1000);
  }

  get isLive(): boolean {
    return this.#opened && this.staleSeconds === 0;
  }

  /** Hears events whose kind begins with one of `topics`; ends with the returned function. */
  on(topics: readonly string[], hear: (event: Event) => void): () => void {
    const listener = { topics, hear };
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Called when the connection came back after it was lost: what was read before may be old. */
  onReturn(tell: () => void): () => void {
    this.#gaps.add(tell);
    return () => this.#gaps.delete(tell);
  }

  #returned(): void {
    for (const tell of this.#gaps) tell();
  }

  async #run(signal: AbortSignal): Promise<void> {
    let wait = 500;
    let wasOpen = false;
    while (!signal.aborted) {
      try {
        await this.#follow(signal, () => {
          wait = 500;
          if (wasOpen) this.#returned();
          wasOpen = true;
        });
      } catch (error) {
        if (error instanceof Failure && (error.kind === 'signed_out' || error.kind === 'forbidden')) {
          this.failure = error;
        }
      }
      this.#opened = false;
      if (signal.aborted) return;
      // Many browsers come back after a restart; not all in the same moment.
      await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random())));
      wait = Math.min(wait * 2, RETRY_MOST_MS);
    }
  }

  async #follow(signal: AbortSignal, opened: () => void): Promise<void> {
    const headers = new Headers({ accept: 'text/event-stream' });
    if (this.#place !== undefined) headers.set('last-event-id', this.#place);
    if (this.#bearer !== undefined) headers.set('authorization', `Bearer ${this.#bearer}`);
    const answer = await fetch('/api/v1/events', { headers, signal, cache: 'no-store' });
    if (!answer.ok || !answer.body) throw failureOf(answer.status, await answer.json().catch(() => undefined));
    this.#opened = true;
    this.failure = undefined;
    opened();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    // A connection can die without a word: then nobody ends it but us.
    const watch = setInterval(() => {
      if (this.staleSeconds > 0) void reader.cancel().catch(() => {});
    }, 1000);
    this.#lastFrame = performance.now();
    try {
      let text = '';
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        text += value;
        const frames = text.split('\n\n');
        text = frames.pop() ?? '';
        for (const frame of frames) this.#frame(frame);
      }
    } finally {
      clearInterval(watch);
    }
  }

  #frame(frame: string): void {
    const field = (name: string): string | undefined => {
      const line = frame.split('\n').find((one) => one.startsWith(`${name}:`));
      return line?.slice(name.length + 1).trimStart();
    };
    const data = field('data');
    if (data === undefined) return;
    this.#lastFrame = performance.now();
    this.#place = field('id') ?? this.#place;
    if (field('event') === 'beat') {
      clock.heard((JSON.parse(data) as { now: string }).now);
      return;
    }
    const event = JSON.parse(data) as Event;
    for (const { topics, hear } of this.#listeners) if (topics.some((topic) => event.kind.startsWith(topic))) hear(event);
  }
}

export const stream = new Stream();
