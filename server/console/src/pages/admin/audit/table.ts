// Events as a table.

import type { Schema } from '../../../lib/api';

type Event = Schema['Event'];

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

export function asTable(events: readonly Event[]): string[][] {
  return [COLUMNS.map(([name]) => name), ...events.map((event) => COLUMNS.map(([, read]) => read(event)))];
}
