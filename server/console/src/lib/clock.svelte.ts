// The server's time, whatever the clock of this computer says. All deadlines come from the server and are counted down here, so every
// screen that looks at one shows the same second.

import { texts } from './i18n.svelte';

const words = texts(
  {
    seconds: '{n} 秒前',
    minutes: '{n} 分钟前',
    hours: '{n} 小时前',
    days: '{n} 天前',
    soon: '{t} 后',
    just: '刚刚',
  },
  {
    seconds: '{n} s ago',
    minutes: '{n} min ago',
    hours: '{n} h ago',
    days: '{n} day ago|{n} days ago',
    soon: 'in {t}',
    just: 'just now',
  },
);

/** The browser's own clock may be set while a page is open; this one only ever goes forward. */
const monotonic = (): number => performance.timeOrigin + performance.now();

class Clock {
  #offset = $state(Date.now() - monotonic());
  #heard = false;
  /** Milliseconds since the epoch by the server's clock; changes once a second. */
  now = $state(Date.now());

  constructor() {
    setInterval(() => this.#tick(), 1000);
  }

  /** A beat said what time it is there. */
  heard(serverTime: string): void {
    const there = Date.parse(serverTime);
    if (Number.isNaN(there)) return;
    const offset = there - monotonic();
    // A beat that was long on its way says less than one that was quick: the largest is nearest, but a server's clock may be set back too.
    if (!this.#heard || offset > this.#offset || this.#offset - offset > 2000) this.#offset = offset;
    this.#heard = true;
    this.#tick();
  }

  #tick(): void {
    this.now = monotonic() + this.#offset;
  }
}

export const clock = new Clock();

const two = (n: number): string => String(n).padStart(2, '0');

/** `04:12`, `3:10:00`; negative ones without their sign. */
export function span(ms: number): string {
  const seconds = Math.floor(Math.abs(ms) / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${two(m)}:${two(s)}`;
}

export function ago(at: string, now = clock.now): string {
  const seconds = Math.round((now - Date.parse(at)) / 1000);
  if (seconds < 0) return words('soon', { t: span(seconds * 1000) });
  if (seconds < 10) return words('just');
  if (seconds < 60) return words('seconds', { n: seconds });
  if (seconds < 3600) return words('minutes', { n: Math.floor(seconds / 60) });
  if (seconds < 48 * 3600) return words('hours', { n: Math.floor(seconds / 3600) });
  return words('days', { n: Math.floor(seconds / 86400) });
}

/** `11-22 14:02:31`, with the year when it is another one. */
export function moment(at: string, now = clock.now): string {
  const date = new Date(at);
  const day = `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return date.getFullYear() === new Date(now).getFullYear() ? `${day} ${time}` : `${date.getFullYear()}-${day} ${time}`;
}

export function timeOfDay(ms: number): string {
  const date = new Date(ms);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** With the zone, for a tooltip. */
export function exactly(at: string): string {
  const date = new Date(at);
  const minutes = -date.getTimezoneOffset();
  const zone = `UTC${minutes < 0 ? '−' : '+'}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${timeOfDay(date.getTime())} ${zone}`;
}
