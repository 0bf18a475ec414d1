// What a page shows: read from the server, read again when the log says that it changed, kept on the page while something is wrong.

import { untrack } from 'svelte';
import { Failure, asFailure } from './failure';
import { stream } from './stream.svelte';

/** Nothing flickers for answers that come at once. */
const SKELETON_AFTER_MS = 150;
/** A storm of events reads a page again this often, not once for each. */
const REREAD_EVERY_MS = 400;

export class Loaded<T> {
  data = $state.raw<T>();
  failure = $state.raw<Failure>();
  /** Nothing to show yet, and for long enough to say so. */
  slow = $state(false);
  /** What is shown is of an earlier question or an earlier time. */
  old = $state(false);
  /** Changes that came while the reader held the page still. */
  waiting = $state(0);
  #read: (signal: AbortSignal) => Promise<T>;
  #running: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastRead = 0;

  constructor(read: (signal: AbortSignal) => Promise<T>) {
    this.#read = read;
  }

  async now(): Promise<void> {
    this.#running?.abort();
    const running = (this.#running = new AbortController());
    this.#lastRead = performance.now();
    this.waiting = 0;
    const slow = setTimeout(() => (this.slow = this.data === undefined), SKELETON_AFTER_MS);
    try {
      const data = await this.#read(running.signal);
      if (running.signal.aborted) return;
      this.data = data;
      this.failure = undefined;
      this.old = false;
    } catch (error) {
      if (running.signal.aborted || (error instanceof DOMException && error.name === 'AbortError')) return;
      this.failure = asFailure(error);
      this.old = this.data !== undefined;
    } finally {
      clearTimeout(slow);
      if (this.#running === running) this.slow = false;
    }
  }

  /** Soon, together with whatever else asks for it meanwhile. */
  soon(): void {
    if (stream.paused) {
      this.waiting += 1;
      return;
    }
    if (this.#timer !== undefined) return;
    const wait = Math.max(50, REREAD_EVERY_MS - (performance.now() - this.#lastRead));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.now();
    }, wait);
  }

  end(): void {
    this.#running?.abort();
    clearTimeout(this.#timer);
  }
}

type Options = {
  /** Reads again when an event of these kinds (by prefix) comes. */
  on?: readonly string[];
  /** Only events that concern this page. */
  only?: (event: import('./stream.svelte').Event) => boolean;
};

/**
 * Reads while the component lives. What `read` looks at before it waits for the first time (the page's address, a filter) is followed:
 * when that changes, it is read anew. Call it while a component is made.
 */
export function loaded<T>(read: (signal: AbortSignal) => Promise<T>, options: Options = {}): Loaded<T> {
  const page = new Loaded<T>(read);
  $effect(() => {
    // Its own answer is not what it follows.
    untrack(() => (page.old = page.data !== undefined));
    void page.now();
  });
  $effect(() => {
    const { on = [], only = () => true } = options;
    const ends = [
      stream.on(on, (event) => {
        if (only(event)) page.soon();
      }),
      stream.onReturn(() => page.soon()),
    ];
    return () => {
      for (const end of ends) end();
      page.end();
    };
  });
  $effect(() => {
    if (!stream.paused && page.waiting > 0) page.soon();
  });
  return page;
}
