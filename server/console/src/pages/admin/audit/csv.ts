// A file for a spreadsheet: with the mark that says UTF-8, and with nothing in it that a spreadsheet would run.

import type { Schema } from '../../../lib/api';

type Event = Schema['Event'];

function cell(value: string): string {
  const tame = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(tame) ? `"${tame.replaceAll('"', '""')}"` : tame;
}

const COLUMNS: readonly [string, (event: Event) => string][] = [
  ['seq', (event) => String(event.seq)],
  ['recorded_at', (event) => event.recorded_at],
  ['occurred_at', (event) => event.occurred_at],
  ['kind', (event) => event.kind],
  ['actor', (event) => event.actor],
  ['fault', (event) => event.fault ?? ''],
  ['equipment', (event) => event.equipment ?? ''],
  ['internal', (event) => String(event.internal ?? false)],
  ['text', (event) => event.text],
  ['data', (event) => JSON.stringify(event.data)],
];

export function csv(events: readonly Event[]): string {
  const lines = events.map((event) => COLUMNS.map(([, read]) => cell(read(event))).join(','));
  return `\uFEFF${[COLUMNS.map(([name]) => name).join(','), ...lines].join('\r\n')}\r\n`;
}

export function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }));
  const link = Object.assign(document.createElement('a'), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
