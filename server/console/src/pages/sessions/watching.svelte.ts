// Somebody else's session as it happens: what the terminal showed when one began to watch, and from then on every chunk of its recording.

import { api, ask, type Schema } from '../../lib/api';
import { Failure, asFailure, failureOf } from '../../lib/failure';
import { readChunk, printed, sizeOf, type Happening, type Opened } from './recording';

const RETRY_MS = 2000;
/** No word for so long: the connection is dead. */
const SILENT_MS = 15_000;

export type Show = {
  reset: (size: { cols: number; rows: number }) => void;
  write: (data: Uint8Array | string) => Promise<void>;
  resize: (size: { cols: number; rows: number }) => void;
};

export class Watching {
  state = $state<'connecting' | 'open' | 'lost' | 'ended'>('connecting');
  failure = $state.raw<Failure>();
  /** What is open in the session, by channel. */
  channels = $state.raw<readonly { channel: number; opened: Opened | undefined }[]>([]);
  channel = $state<number>();
  chunks = $state(0);
  #next = 0;
  #skip = 0;
  #running = new AbortController();
  #chosen = false;
  #bare = new Set<number>();

  constructor(
    readonly session: string,
    readonly show: Show,
    readonly ended: (session: Schema['Session']) => void,
  ) {
    void this.#run(this.#running);
  }

  /** Another terminal of the same session. */
  choose(channel: number): void {
    this.#chosen = true;
    this.channel = channel;
    this.#running.abort();
    this.#running = new AbortController();
    void this.#run(this.#running);
  }

  end(): void {
    this.#running.abort();
  }

  async #run({ signal }: AbortController): Promise<void> {
    let begun = false;
    while (!signal.aborted) {
      try {
        if (!begun) await this.#begin(signal);
        begun = true;
        await this.#follow(signal);
        // `follow` changes it.
        if ((this.state as string) === 'ended') return;
        this.state = 'lost';
      } catch (error) {
        if (signal.aborted) return;
        this.failure = error instanceof DOMException ? new Failure('offline', undefined, 0) : asFailure(error);
        if (this.failure.kind === 'forbidden' || this.failure.kind === 'not_found') return;
        this.state = 'lost';
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Draws what the terminals showed last. */
  async #begin(signal: AbortSignal): Promise<void> {
    this.show.reset({ cols: 80, rows: 24 });
    this.#next = this.#skip = 0;
    const query = { at: 1e9, ...(this.#chosen && this.channel !== undefined ? { channel: this.channel } : {}) };
    const { items } = await ask(api.GET('/api/v1/sessions/{session}/keyframes', { params: { path: { session: this.session }, query }, signal }));
    const frame = items.reduce<Schema['Keyframe'] | undefined>((newest, one) => (newest === undefined || one.seconds >= newest.seconds ? one : newest), undefined);
    if (frame === undefined || frame.chunks === 0) return;
    this.#add(frame.channel, undefined);
    this.channel = frame.channel;
    this.show.reset({ cols: frame.cols, rows: frame.rows });
    await this.show.write(frame.screen);
    this.#next = frame.chunks - 1;
    this.#skip = frame.events;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const silence = new AbortController();
    const both = AbortSignal.any([signal, silence.signal]);
    let timer = setTimeout(() => silence.abort(), SILENT_MS);
    const alive = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENT_MS);
    };
    try {
      const answer = await fetch(`/api/v1/sessions/${encodeURIComponent(this.session)}/watch?from=${this.#next}`, {
        headers: { accept: 'text/event-stream' }, signal: both, cache: 'no-store',
      });
      if (!answer.ok || !answer.body) throw failureOf(answer.status, await answer.json().catch(() => undefined));
      this.state = 'open';
      this.failure = undefined;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        alive();
        text += value;
        const frames = text.split('\n\n');
        text = frames.pop() ?? '';
        for (const frame of frames) if (await this.#frame(frame)) return;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async #frame(frame: string): Promise<boolean> {
    const field = (name: string): string => frame.split('\n').filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trimStart()).join('\n');
    const kind = field('event');
    if (kind === 'end') {
      this.state = 'ended';
      this.ended(JSON.parse(field('data')) as Schema['Session']);
      return true;
    }
    if (kind !== 'chunk') return false;
    const chunk = readChunk(field('data'));
    const skip = this.#skip;
    this.#skip = 0;
    this.#next = Number(field('id')) + 1;
    this.chunks = this.#next;
    for (const one of chunk?.happenings.slice(skip) ?? []) await this.#happened(one);
    return false;
  }

  async #happened(one: Happening): Promise<void> {
    if (one.code === 'open' && one.data !== null && typeof one.data === 'object') {
      const opened = one.data as Opened;
      this.#add(one.channel, opened);
      if (!opened.terminal) this.#bare.add(one.channel);
      // A terminal that opens is what one wants to see, unless one has chosen.
      if (!this.#chosen && (this.channel === undefined || opened.terminal)) {
        if (this.channel !== one.channel) this.show.reset(sizeOf(one) ?? { cols: 80, rows: 24 });
        this.channel = one.channel;
      }
    }
    if (one.channel !== this.channel) return;
    const size = sizeOf(one);
    if (size) this.show.resize(size);
    const bytes = printed(one);
    if (!bytes) return;
    await this.show.write(this.#bare.has(one.channel) ? new TextDecoder().decode(bytes).replaceAll('\r\n', '\n').replaceAll('\n', '\r\n') : bytes);
  }

  #add(channel: number, opened: Opened | undefined): void {
    const others = this.channels.filter((one) => one.channel !== channel);
    const known = this.channels.find((one) => one.channel === channel)?.opened;
    this.channels = [...others, { channel, opened: opened ?? known }].sort((a, b) => a.channel - b.channel);
  }
}
