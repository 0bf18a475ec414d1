// The columns of the faults list: what each is called, how wide it is, what an export writes for it.

import { span } from '../../lib/clock.svelte';
import { word } from '../../lib/i18n.svelte';
import { consentStates, impacts, severities, statuses } from '../../lib/words';
import type { Schema } from '../../lib/api';
import type { Row } from './listed.svelte';
import { t, type TextKey } from './texts';
import { held, measured } from './words';

export type ColumnKey =
  | 'number' | 'severity' | 'left' | 'title' | 'equipment' | 'customer' | 'status' | 'owner' | 'repeats' | 'last'
  | 'site' | 'model' | 'impact' | 'reported' | 'consent' | 'sessions' | 'reference';

export type Column = {
  key: ColumnKey;
  label: TextKey;
  width_px: number;
  /** The first to go where there is no room has the highest. */
  spare: number;
  sort?: Schema['FaultSort'];
  /** As text, for an export that a person reads. */
  text: (row: Row) => string;
  /** As data. */
  value: (row: Row) => unknown;
};

const left = (row: Row): string => {
  const clock = row.clocks[0];
  if (!clock) return '';
  const time = `${clock.left_s < 0 ? '-' : ''}${span(clock.left_s * 1000)}`;
  return clock.state === 'paused' ? `‖ ${held(clock.paused_by)} ${time}` : time;
};

export const COLUMNS: readonly Column[] = [
  { key: 'number', label: 'number', width_px: 84, spare: 0, sort: 'newest', text: (row) => row.number, value: (row) => row.number },
  { key: 'severity', label: 'severityShort', width_px: 34, spare: 1, sort: 'severity', text: (row) => word(severities[row.severity]), value: (row) => row.severity },
  { key: 'left', label: 'left', width_px: 96, spare: 2, sort: 'left', text: left, value: (row) => row.clocks[0] ?? null },
  {
    key: 'title', label: 'title', width_px: 180, spare: 0, text: (row) => [row.title, measured(row)].filter(Boolean).join(' · '),
    value: (row) => ({ title: row.title, trigger: row.trigger ?? null }),
  },
  { key: 'equipment', label: 'equipment', width_px: 100, spare: 3, text: (row) => row.equipment ?? '', value: (row) => row.equipment ?? null },
  {
    key: 'customer', label: 'customerTier', width_px: 80, spare: 6, text: (row) => `${row.customer_name} ${row.tier}`,
    value: (row) => ({ customer: row.customer, name: row.customer_name, tier: row.tier }),
  },
  { key: 'status', label: 'status', width_px: 64, spare: 4, text: (row) => word(statuses[row.status]), value: (row) => row.status },
  { key: 'owner', label: 'owner', width_px: 84, spare: 5, text: (row) => row.owner ?? '', value: (row) => row.owner ?? null },
  { key: 'repeats', label: 'repeats', width_px: 36, spare: 8, text: (row) => String(row.repeats), value: (row) => row.repeats },
  {
    key: 'last', label: 'last', width_px: 130, spare: 7, sort: 'updated', text: (row) => (row.last ? `${row.last.at} ${row.last.who}: ${row.last.text}` : row.updated_at),
    value: (row) => row.last ?? null,
  },
  { key: 'site', label: 'site', width_px: 110, spare: 9, text: (row) => row.site ?? '', value: (row) => row.site ?? null },
  {
    key: 'model', label: 'model', width_px: 110, spare: 9, text: (row) => [row.product, row.model].filter(Boolean).join(' '),
    value: (row) => ({ product: row.product ?? null, model: row.model ?? null }),
  },
  { key: 'impact', label: 'impact', width_px: 96, spare: 9, text: (row) => word(impacts[row.impact]), value: (row) => row.impact },
  { key: 'reported', label: 'reported', width_px: 100, spare: 9, sort: 'newest', text: (row) => row.reported_at, value: (row) => row.reported_at },
  { key: 'consent', label: 'consent', width_px: 90, spare: 9, text: (row) => (row.consent ? word(consentStates[row.consent]) : ''), value: (row) => row.consent ?? null },
  { key: 'sessions', label: 'sessions', width_px: 60, spare: 9, text: (row) => String(row.live_sessions), value: (row) => row.live_sessions },
  { key: 'reference', label: 'reference', width_px: 110, spare: 9, text: (row) => row.customer_reference ?? '', value: (row) => row.customer_reference ?? null },
];

export const USUAL: readonly ColumnKey[] = ['number', 'severity', 'left', 'title', 'equipment', 'customer', 'status', 'owner', 'repeats', 'last'];

/** As many of the chosen ones as fit. */
export function fitting(chosen: readonly Column[], width_px: number): readonly Column[] {
  const GAP_PX = 10;
  const EDGES_PX = 46;
  const kept = [...chosen];
  const needed = (): number => kept.reduce((sum, column) => sum + column.width_px + GAP_PX, EDGES_PX);
  while (needed() > width_px && kept.some((column) => column.spare > 0)) {
    const most = Math.max(...kept.map((column) => column.spare));
    kept.splice(kept.findLastIndex((column) => column.spare === most), 1);
  }
  return kept;
}

export const titleOf = (column: Column): string => t(column.label);
