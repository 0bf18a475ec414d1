// Which measurements belong into one plot, and how much of them.

import type { Schema } from '../../lib/api';

export type GroupName = 'cpu' | 'memory' | 'load' | 'temperature' | 'fan' | 'power' | 'voltage' | 'disk' | 'traffic' | 'errors' | 'other';

const GROUPS: readonly [GroupName, RegExp][] = [
  ['temperature', /(?<!margin_)celsius$/],
  ['fan', /_rpm$/],
  ['power', /_dbm$/],
  ['voltage', /_(volts?|v)$/],
  ['cpu', /^cpu\..*_percent$/],
  ['memory', /^memory\..*_percent$/],
  ['load', /^load\./],
  ['errors', /^net\..*(error|drop)/],
  ['traffic', /^net\..*bytes_per_s$/],
  ['disk', /^fs\..*(?<!inodes)_?used_percent$/],
  ['other', /^sensor\./],
];

/** More lines in one plot can't be told apart. */
export const MOST_LINES = 6;

export type Line = { metric: string; label: string };
export type Plot = { name: GroupName; lines: Line[] };

export function plots(reports: readonly Schema['HealthReport'][]): Plot[] {
  const names = new Set<string>();
  for (const report of reports) for (const name of Object.keys(report.metrics)) names.add(name);
  const found = new Map<GroupName, Line[]>();
  for (const metric of [...names].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }))) {
    const group = GROUPS.find(([, shape]) => shape.test(metric))?.[0];
    if (group === undefined || /inodes/.test(metric)) continue;
    found.set(group, [...(found.get(group) ?? []), { metric, label: labelOf(metric) }]);
  }
  return GROUPS.flatMap(([name]) => {
    const lines = found.get(name);
    return lines ? [{ name, lines }] : [];
  });
}

/** `sensor.fan-2.speed_rpm` is `fan-2 speed`; the unit stands above the plot. */
function labelOf(metric: string): string {
  const short = metric.replace(/^(sensor|net|fs|temperature|load|cpu|memory)\./, '').replace(/_(percent|rpm|celsius|dbm|volts?|bytes_per_s|per_s)$/, '').replace(/\.?celsius$/, '');
  return short.replaceAll('.', ' ') || metric;
}

/** A value for people: four digits are enough. */
export function reading(value: number | null | undefined): string {
  if (value == null || !Number.isFinite(value)) return '—';
  const size = Math.abs(value);
  for (const [unit, factor] of [['G', 1e9], ['M', 1e6], ['k', 1e4]] as const) if (size >= factor) return `${(value / (unit === 'k' ? 1e3 : factor)).toPrecision(3)} ${unit}`;
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : String(Math.round(value * 100) / 100);
}
