// A recording as the device signed it, read for playing: its chunks, their chain, and what each channel printed. A recording comes from a
// device that may be hostile: whatever can't be read is left out, and nothing is thrown.

import { api, ask, type Schema } from '../../lib/api';
import { sha256 } from '../../lib/bytes';

export type Opened = { door: string; command?: string; terminal?: { term: string; cols: number; rows: number }; target?: string };
export type Happening = { seconds: number; channel: number; code: string; data: unknown };
export type Header = { session: string; chunk: number; prev: string; at: string; bind?: Bind; end?: string };
export type Bind = { device: string; consent: string; grade: string; engineer: string; account: string; started: string; host_key: string };
export type Chunk = { header: Header; text: string; happenings: Happening[] };

/** More is for the command line, which does not hold it in memory. */
const MOST_BYTES = 64 << 20;
const PAGE_CHUNKS = 400;
const FIRST_PREV = '0'.repeat(64);

export function readChunk(line: string): Chunk | undefined {
  try {
    const { text } = JSON.parse(line) as { text: string };
    const [head = '', ...lines] = text.split('\n');
    const header = JSON.parse(head) as Header;
    return { header, text, happenings: lines.flatMap((one) => readHappening(one) ?? []) };
  } catch {
    return undefined;
  }
}

function readHappening(line: string): Happening | undefined {
  if (line === '') return undefined;
  try {
    const [seconds, channel, code, data] = JSON.parse(line) as [number, number, string, unknown];
    return typeof seconds === 'number' && typeof channel === 'number' && typeof code === 'string' ? { seconds, channel, code, data } : undefined;
  } catch {
    return undefined;
  }
}

/** What a terminal was sent, as bytes; `undefined` for what it was not. */
export function printed(one: Happening): Uint8Array | undefined {
  if (typeof one.data !== 'string') return undefined;
  switch (one.code) {
    case 'o':
    case 'e':
      return new TextEncoder().encode(one.data);
    case 'oo':
    case 'ee':
      try {
        return Uint8Array.from(atob(one.data), (c) => c.charCodeAt(0));
      } catch {
        return undefined;
      }
    default:
      return undefined;
  }
}

export function sizeOf(one: Happening): { cols: number; rows: number } | undefined {
  if (one.code === 'r' && typeof one.data === 'string') {
    const [cols = 0, rows = 0] = one.data.split('x').map(Number);
    return sane(cols, rows);
  }
  const terminal = one.code === 'open' ? (one.data as Opened | null)?.terminal : undefined;
  return terminal ? sane(terminal.cols, terminal.rows) : undefined;
}

/** A client without a terminal of its own says 0. */
function sane(cols: number, rows: number): { cols: number; rows: number } {
  const within = (n: number, usual: number): number => (Number.isInteger(n) && n > 1 && n <= 500 ? n : usual);
  return { cols: within(cols, 80), rows: within(rows, 24) };
}

/** How the chain of a recording is: each chunk names the hash of the one before. */
export type Chain =
  | { state: 'whole'; chunks: number; head: string }
  | { state: 'open'; chunks: number; head: string }
  | { state: 'broken'; chunks: number; at: number; why: 'unreadable' | 'missing' | 'hash' }
  | { state: 'none' };

export class Recording {
  readonly chunks: Chunk[] = [];
  readonly lines: string[] = [];
  chain: Chain = { state: 'none' };
  /** There is more than is played here. */
  cut = false;

  get bind(): Bind | undefined {
    return this.chunks[0]?.header.bind;
  }

  channels(): { channel: number; opened: Opened; bytes: number }[] {
    const found = new Map<number, { channel: number; opened: Opened; bytes: number }>();
    for (const one of this.#all()) {
      if (one.code === 'open' && one.data !== null && typeof one.data === 'object') found.set(one.channel, { channel: one.channel, opened: one.data as Opened, bytes: 0 });
      const entry = found.get(one.channel);
      if (entry && typeof one.data === 'string' && /^(o|e)/.test(one.code)) entry.bytes += one.data.length;
    }
    return [...found.values()];
  }

  /** The first terminal, else the first command, else whatever there is. */
  mainChannel(): number {
    const all = this.channels();
    return (all.find((one) => one.opened.terminal) ?? all.find((one) => one.opened.door === 'exec') ?? all[0])?.channel ?? 0;
  }

  /** What a player takes, with times since the session's start. */
  play(channel: number): { cols: number; rows: number; events: [number, 'o' | 'r', string][] } {
    const opened = this.channels().find((one) => one.channel === channel)?.opened;
    const size = sane(opened?.terminal?.cols ?? 80, opened?.terminal?.rows ?? 24);
    const bare = opened?.terminal === undefined;
    const events: [number, 'o' | 'r', string][] = [];
    const decoder = new TextDecoder();
    let last = 0;
    for (const one of this.#all()) {
      if (one.channel !== channel) continue;
      last = Math.max(last, Math.min(one.seconds, 1e9));
      const bytes = printed(one);
      if (bytes) {
        const text = decoder.decode(bytes, { stream: true });
        if (text !== '') events.push([last, 'o', bare ? text.replaceAll('\r\n', '\n').replaceAll('\n', '\r\n') : text]);
      } else if (one.code === 'r') {
        const next = sizeOf(one);
        if (next) events.push([last, 'r', `${next.cols}x${next.rows}`]);
      } else if (one.code === 'sftp' && one.data !== null && typeof one.data === 'object') {
        const { op, path, result } = one.data as Record<string, unknown>;
        events.push([last, 'o', `sftp ${String(op)} ${String(path)} ${String(result)}\r\n`]);
      }
    }
    return { ...size, events };
  }

  /** asciicast v2: what every player of terminal recordings reads. */
  cast(channel: number): string {
    const { cols, rows, events } = this.play(channel);
    const started = this.bind ? Math.floor(Date.parse(this.bind.started) / 1000) : undefined;
    const header = { version: 2, width: cols, height: rows, timestamp: started, title: `${this.bind?.device ?? ''} ${this.chunks[0]?.header.session ?? ''}`.trim() };
    return [header, ...events].map((one) => `${JSON.stringify(one)}\n`).join('');
  }

  *#all(): Generator<Happening> {
    for (const chunk of this.chunks) yield* chunk.happenings;
  }
}

/** The recording as far as it is there; `tell` hears how many chunks have come. */
export async function fetchRecording(session: string, signal: AbortSignal, tell: (chunks: number) => void): Promise<Recording> {
  const recording = new Recording();
  let bytes = 0;
  let from: number | undefined = 0;
  while (from !== undefined) {
    const page: Schema['RecordingReply'] = await ask(
      api.GET('/api/v1/sessions/{session}/recording', { params: { path: { session }, query: { from, limit: PAGE_CHUNKS } }, signal }),
    );
    const lines = page.recording.split('\n').filter((line) => line !== '');
    bytes += page.recording.length;
    recording.lines.push(...lines);
    tell(recording.lines.length);
    from = page.next ?? undefined;
    if (bytes > MOST_BYTES && from !== undefined) {
      recording.cut = true;
      break;
    }
  }
  recording.chain = await follow(recording);
  return recording;
}

/** Reads the chunks as long as each follows from the one before; what comes after a break is not shown as if it were true. */
async function follow(recording: Recording): Promise<Chain> {
  let prev = FIRST_PREV;
  for (const [number, line] of recording.lines.entries()) {
    const chunk = readChunk(line);
    const broken = (why: 'unreadable' | 'missing' | 'hash'): Chain => ({ state: 'broken', chunks: number, at: number, why });
    if (!chunk) return broken('unreadable');
    if (chunk.header.chunk !== number) return broken('missing');
    if (chunk.header.prev !== prev) return broken('hash');
    recording.chunks.push(chunk);
    prev = await sha256(chunk.text);
  }
  const last = recording.chunks.at(-1);
  if (!last) return { state: 'none' };
  return { state: last.header.end === undefined ? 'open' : 'whole', chunks: recording.chunks.length, head: prev };
}

/** Long silences made short, and the way between both times. */
export class Timeline {
  readonly #at: number[];
  readonly #shown: number[];

  constructor(times: readonly number[], longest: number | undefined) {
    this.#at = [0];
    this.#shown = [0];
    for (const time of times) {
      const silence = time - (this.#at.at(-1) ?? 0);
      if (silence <= 0) continue;
      this.#at.push(time);
      this.#shown.push((this.#shown.at(-1) ?? 0) + (longest === undefined ? silence : Math.min(silence, longest)));
    }
  }

  /** From the session's time to the player's. */
  shown(at: number): number {
    return between(this.#at, this.#shown, at);
  }

  /** From the player's time to the session's. */
  at(shown: number): number {
    return between(this.#shown, this.#at, shown);
  }
}

function between(from: readonly number[], to: readonly number[], value: number): number {
  let [low, high] = [0, from.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((from[middle] ?? 0) <= value) low = middle;
    else high = middle - 1;
  }
  const [x0 = 0, x1] = [from[low], from[low + 1]];
  const [y0 = 0, y1] = [to[low], to[low + 1]];
  if (x1 === undefined || y1 === undefined) return y0;
  // A silence that was made short: within it both go on equally fast, up to its end.
  return Math.min(y0 + (value - x0), y1);
}

/** When lines were sent: where a person looks for commands. */
export function commandTimes(recording: Recording, channel: number): number[] {
  const times = recording.chunks.flatMap((chunk) => chunk.happenings)
    .filter((one) => one.channel === channel && one.code === 'i' && typeof one.data === 'string' && /[\r\n]/.test(one.data))
    .map((one) => one.seconds);
  return [...new Set(times)];
}
