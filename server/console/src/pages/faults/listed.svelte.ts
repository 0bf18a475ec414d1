// The faults that a list shows: pages read as one scrolls, changed rows read again one by one, nothing moved under the reader's eyes.

import { untrack } from 'svelte';
import { api, ask, type Schema } from '../../lib/api';
import { asFailure, type Failure } from '../../lib/failure';
import { Loaded } from '../../lib/loaded.svelte';
import { stream } from '../../lib/stream.svelte';

export type Row = Schema['FaultRow'];
export type Asked = { q: string; sort: Schema['FaultSort'] };

export type Shown = {
  items: readonly Row[];
  next: string | undefined;
  total: number | undefined;
  atLeast: number | undefined;
  searched: readonly string[];
  incomplete: boolean;
  /** What was asked for it. */
  asked: Asked;
};

const FIRST = 200;
const FURTHER = 500;
/** More rows than these are not read again one by one. */
const PATCHED = 100;
const REREAD_EVERY_MS = 400;

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

async function read(asked: Asked, more: { after?: string; limit?: number; only?: readonly string[] }, signal?: AbortSignal): Promise<Shown> {
  const { after, limit = FIRST, only } = more;
  const q = only ? `${asked.q} number:${only.join(',')}`.trim() : asked.q;
  const query = { q, sort: asked.sort, zone, limit, ...(after === undefined ? {} : { after }) };
  const page = await ask(api.GET('/api/v1/faults', { params: { query }, ...(signal ? { signal } : {}) }));
  return {
    items: page.items, next: page.next ?? undefined, total: page.total ?? undefined, atLeast: page.total_at_least ?? undefined,
    searched: page.searched ?? [], incomplete: page.incomplete ?? false, asked,
  };
}

/** All that fits, from the first on, for an export. */
export async function readAll(asked: Asked, most: number, tell: (read: number) => void): Promise<Row[]> {
  const rows: Row[] = [];
  let after: string | undefined;
  do {
    const page = await read(asked, { limit: 1000, ...(after === undefined ? {} : { after }) });
    rows.push(...page.items);
    tell(rows.length);
    after = page.next;
  } while (after !== undefined && rows.length < most);
  return rows.slice(0, most);
}

export class Listed {
  readonly page: Loaded<Shown>;
  /** The rest could not be read. */
  moreFailed = $state.raw<Failure>();
  reading = $state(false);
  /** New ones that are not shown yet. */
  fresh = $state.raw<ReadonlySet<string>>(new Set());
  /** Shown ones that don't fit any more. */
  gone = $state.raw<ReadonlySet<string>>(new Set());
  #asked: () => Asked;
  #still: () => boolean;
  #changed = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #last = 0;

  /** `still`: the reader is in the middle of the list, or has chosen some of it; rows must stay where they are. */
  constructor(asked: () => Asked, still: () => boolean) {
    this.#asked = asked;
    this.#still = still;
    this.page = new Loaded<Shown>(async (signal) => {
      this.#last = performance.now();
      this.#changed.clear();
      const shown = await read(asked(), {}, signal);
      this.fresh = this.gone = new Set();
      this.moreFailed = undefined;
      return shown;
    });
    $effect(() => {
      asked();
      untrack(() => {
        this.page.old = this.page.data !== undefined;
        void this.page.now();
      });
    });
    $effect(() => {
      const ends = [
        stream.on([''], (event) => {
          if (event.fault == null) return;
          this.#changed.add(event.fault);
          this.#soon();
        }),
        stream.onReturn(() => void this.page.now()),
      ];
      return () => {
        for (const end of ends) end();
        clearTimeout(this.#timer);
        this.page.end();
      };
    });
    $effect(() => {
      if (!stream.paused) untrack(() => this.#changed.size > 0 && this.#soon());
    });
  }

  /** What has come and is not shown. */
  get waiting(): number {
    return this.page.waiting + this.fresh.size + this.gone.size;
  }

  /** The next page. */
  more = (): void =>
    untrack(() => {
      const { data } = this.page;
      if (data?.next === undefined || this.reading || this.moreFailed || this.page.old) return;
      void this.again();
    });

  async again(): Promise<void> {
    const before = this.page.data;
    if (before?.next === undefined) return;
    this.reading = true;
    this.moreFailed = undefined;
    try {
      const page = await read(before.asked, { after: before.next, limit: FURTHER });
      if (this.page.data?.asked !== before.asked) return;
      const known = new Set(this.page.data.items.map((row) => row.number));
      this.page.data = { ...this.page.data, items: [...this.page.data.items, ...page.items.filter((row) => !known.has(row.number))], next: page.next };
    } catch (error) {
      this.moreFailed = asFailure(error);
    } finally {
      this.reading = false;
    }
  }

  #soon(): void {
    if (stream.paused) {
      this.page.waiting = this.#changed.size;
      return;
    }
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#refresh();
    }, Math.max(50, REREAD_EVERY_MS - (performance.now() - this.#last)));
  }

  async #refresh(): Promise<void> {
    const { data } = this.page;
    if (stream.paused) return;
    if (data === undefined || (data.items.length <= FIRST && !this.#still())) return this.page.now();
    const numbers = [...this.#changed].slice(0, PATCHED);
    for (const number of numbers) this.#changed.delete(number);
    this.page.waiting = 0;
    this.#last = performance.now();
    try {
      const found = await read(this.#asked(), { only: numbers, limit: PATCHED });
      if (this.page.data?.asked === data.asked) this.#patch(this.page.data, numbers, found.items);
    } catch (error) {
      this.page.failure = asFailure(error);
    }
    if (this.#changed.size > 0) this.#soon();
  }

  #patch(data: Shown, asked: readonly string[], found: readonly Row[]): void {
    const now = new Map(found.map((row) => [row.number, row]));
    const shown = new Set(data.items.map((row) => row.number));
    this.page.data = { ...data, items: data.items.map((row) => now.get(row.number) ?? row) };
    const others = (all: ReadonlySet<string>): string[] => [...all].filter((number) => !asked.includes(number));
    this.gone = new Set([...others(this.gone), ...asked.filter((number) => shown.has(number) && !now.has(number))]);
    this.fresh = new Set([...others(this.fresh), ...asked.filter((number) => !shown.has(number) && now.has(number))]);
  }
}
