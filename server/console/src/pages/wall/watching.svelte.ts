// What a wall watches: its picture, read anew when the log moves and once a minute whatever happens; and the newest events at once.

import { api, ask, type Schema } from '../../lib/api';
import { clock } from '../../lib/clock.svelte';
import { loaded, type Loaded } from '../../lib/loaded.svelte';
import { stream, type Event } from '../../lib/stream.svelte';
import { SEVERITIES, type Severity } from './countdown';
import { sound } from './sound.svelte';
import { KINDS } from './texts';

type Wall = Schema['Wall'];

/** Against whatever the stream may have missed. */
const RECONCILE_MS = 60_000;
/** Events are drawn together, not one by one. */
const DRAW_MS = 250;
const MOST_EVENTS = 30;
/** How long a new critical fault is ringed on the map. */
const RING_MS = 20_000;
/** Longer than it takes to read the picture again. */
const NEW_S = 90;

export class Watching {
  readonly page: Loaded<Wall>;
  events = $state.raw<readonly Event[]>([]);
  /** Sites with a new critical fault. */
  rung = $state.raw<ReadonlySet<string>>(new Set());
  #waiting: Event[] = [];
  #drawing: ReturnType<typeof setTimeout> | undefined;
  #before: Wall | undefined;
  /** Each fault with the severities that it was seen with. */
  #seen = new Set<string>();
  #ringing: ReturnType<typeof setTimeout> | undefined;

  /** Call it while a component is made. `only`: sounds are for what is shown. */
  constructor(token: string | undefined, only: () => Severity | undefined) {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const read = async (signal: AbortSignal): Promise<Wall> => {
      const wall = await ask(api.GET('/api/v1/wall', { params: { query: { zone } }, headers, signal }));
      clock.heard(wall.now);
      this.#compare(wall, only());
      return wall;
    };
    this.page = loaded(read, { on: ['fault', 'clock', 'consent', 'session', 'agent', 'alarm.raised', 'site', 'shift'] });
    $effect(() => {
      const end = stream.on([''], (event) => this.#hear(event));
      const timer = setInterval(() => this.page.soon(), RECONCILE_MS);
      return () => {
        end();
        clearInterval(timer);
        clearTimeout(this.#drawing);
        clearTimeout(this.#ringing);
      };
    });
  }

  #hear(event: Event): void {
    // People's streams carry everything; a wall tells what walls tell.
    if (!(event.kind in KINDS)) return;
    this.#waiting.push(event);
    if (this.#waiting.length > MOST_EVENTS) this.#waiting.shift();
    this.#drawing ??= setTimeout(() => {
      this.#drawing = undefined;
      this.#draw(this.#waiting);
      this.#waiting = [];
    }, DRAW_MS);
  }

  #draw(more: readonly Event[]): void {
    const known = new Map([...this.events, ...more].map((event) => [event.seq, event]));
    this.events = [...known.values()].sort((a, b) => b.seq - a.seq).slice(0, MOST_EVENTS);
  }

  /** A sound for the worst of what is new, if it is shown; and a ring where it is. */
  #compare(wall: Wall, only: Severity | undefined): void {
    const before = this.#before;
    this.#before = wall;
    this.#draw(wall.events);
    // One that came while another went changes no count. Below the end of the list stand old ones that move up: those have run for a while.
    const isWhole = before !== undefined && before.countdown.length === before.countdown_total;
    const fresh = new Set<Severity>();
    for (const row of wall.countdown) {
      const name = `${row.severity} ${row.fault}`;
      if (!this.#seen.has(name) && (isWhole || row.elapsed_s < NEW_S)) fresh.add(row.severity);
      this.#seen.add(name);
    }
    if (before === undefined) return;
    const isNews = (severity: Severity): boolean => fresh.has(severity) || wall.faults[severity] > before.faults[severity];
    const worse = SEVERITIES.find((severity) => (only === undefined || only === severity) && isNews(severity));
    if (worse !== undefined) sound.tell(worse);
    if (!isNews('critical')) return;
    const was = new Map(before.sites.map((site) => [site.id, site.open]));
    const rung = wall.sites.filter((site) => site.worst === 'critical' && site.open > (was.get(site.id) ?? 0)).map((site) => site.id);
    this.rung = new Set(rung);
    clearTimeout(this.#ringing);
    this.#ringing = setTimeout(() => (this.rung = new Set()), RING_MS);
  }
}
