// A terminal on a device, over one WebSocket after the other: what was missed while there was none comes when there is one again.

import { api, ask, type Schema } from '../../lib/api';
import { Failure, asFailure } from '../../lib/failure';

/** The server sends 128 KiB beyond what was acknowledged, and waits. */
const ACK_EVERY = 8 * 1024;
const ACK_AFTER_MS = 80;
const RETRY_FIRST_MS = 500;
const RETRY_MOST_MS = 8000;
/** A person who types a lot at once; more waits in the browser. */
const PIECE = 64 * 1024;

export type Sink = {
  write: (bytes: Uint8Array) => Promise<void>;
  /** Shows this screen in place of everything. */
  redraw: (gap: Schema['TerminalGap']) => Promise<void>;
};

export class Connection {
  state = $state<'connecting' | 'open' | 'lost' | 'taken' | 'ended'>('connecting');
  /** Why it is lost, taken or ended, in the server's words where it said some. */
  reason = $state<string>();
  exit = $state.raw<Schema['TerminalExit']>();
  failure = $state.raw<Failure>();
  /** Milliseconds until it tries again by itself. */
  retryAt = $state<number>();
  #socket: WebSocket | undefined;
  #offset = 0;
  #acknowledged = 0;
  #ackTimer: ReturnType<typeof setTimeout> | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #wait = RETRY_FIRST_MS;
  #over = false;
  #chain: Promise<void> = Promise.resolve();
  #size: { cols: number; rows: number } | undefined;

  constructor(
    readonly terminal: string,
    readonly sink: Sink,
  ) {}

  /** With a ticket that is at hand, or one that it asks for. */
  async connect(ticket?: string): Promise<void> {
    clearTimeout(this.#retryTimer);
    this.retryAt = undefined;
    this.#close();
    this.state = 'connecting';
    try {
      ticket ??= (await ask(api.POST('/api/v1/terminals/{terminal}/tickets', { params: { path: { terminal: this.terminal } } }))).ticket;
    } catch (error) {
      const failure = asFailure(error);
      this.failure = failure;
      // Gone, or not permitted any more: trying again changes nothing.
      if (failure.kind === 'not_found' || failure.kind === 'forbidden') return this.#ended(failure.problem?.title ?? '');
      return this.#lost(failure.problem?.title);
    }
    if (this.#over) return;
    this.failure = undefined;
    const url = new URL(`/api/v1/terminals/${this.terminal}/stream?from=${this.#offset}`, location.href);
    url.protocol = url.protocol === 'http:' ? 'ws:' : 'wss:';
    const socket = (this.#socket = new WebSocket(url, ['lineman-terminal.1', `ticket.${ticket}`]));
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      if (this.#socket !== socket) return;
      this.#wait = RETRY_FIRST_MS;
      this.state = 'open';
      this.reason = undefined;
      if (this.#size) this.#say({ resize: this.#size });
    };
    socket.onmessage = (message: MessageEvent<ArrayBuffer | string>) => {
      if (this.#socket !== socket) return;
      // In order, one after the other is shown.
      this.#chain = this.#chain.then(() => this.#hear(message.data)).catch(() => {});
    };
    socket.onclose = (close) => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      // What came before the end is shown before it.
      void this.#chain.then(() => {
        if (this.state === 'open' || this.state === 'connecting') this.#lost(close.reason || undefined);
      });
    };
  }

  /** False when it can't be sent now: whoever typed it keeps it. */
  type(text: string): boolean {
    if (this.state !== 'open' || this.#socket?.readyState !== WebSocket.OPEN) return false;
    const bytes = new TextEncoder().encode(text);
    for (let from = 0; from < bytes.length; from += PIECE) this.#socket.send(bytes.subarray(from, from + PIECE));
    return true;
  }

  resize(size: { cols: number; rows: number }): void {
    if (this.#size?.cols === size.cols && this.#size.rows === size.rows) return;
    this.#size = size;
    this.#say({ resize: size });
  }

  /** Leaves; the terminal waits for whoever comes back. */
  end(): void {
    this.#over = true;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#ackTimer);
    this.#close();
  }

  async #hear(data: ArrayBuffer | string): Promise<void> {
    if (typeof data !== 'string') {
      this.#offset += data.byteLength;
      const upTo = this.#offset;
      await this.sink.write(new Uint8Array(data));
      this.#shown(upTo);
      return;
    }
    const event = JSON.parse(data) as Schema['TerminalEvent'];
    if ('offset' in event) this.#offset = this.#acknowledged = event.offset;
    else if ('gap' in event) {
      await this.sink.redraw(event.gap);
      this.#offset = event.gap.offset;
      this.#shown(this.#offset, true);
    } else if ('exit' in event) this.exit = event.exit;
    else if ('taken' in event) {
      this.state = 'taken';
      this.reason = event.taken.reason;
    } else this.#ended(event.end.reason);
  }

  #shown(upTo: number, now = false): void {
    if (now || upTo - this.#acknowledged >= ACK_EVERY) {
      this.#acknowledged = upTo;
      this.#say({ ack: upTo });
    } else {
      this.#ackTimer ??= setTimeout(() => {
        this.#ackTimer = undefined;
        this.#shown(this.#offset, true);
      }, ACK_AFTER_MS);
    }
  }

  #say(request: Schema['TerminalRequest']): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(request));
  }

  #lost(reason?: string): void {
    if (this.#over) return;
    this.state = 'lost';
    this.reason = reason;
    const wait = this.#wait * (0.7 + Math.random() * 0.6);
    this.#wait = Math.min(this.#wait * 2, RETRY_MOST_MS);
    this.retryAt = performance.now() + wait;
    this.#retryTimer = setTimeout(() => void this.connect(), wait);
  }

  #ended(reason: string): void {
    this.state = 'ended';
    this.reason = reason;
    clearTimeout(this.#retryTimer);
  }

  #close(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close(1000);
  }
}
