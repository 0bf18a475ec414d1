// What a report is about, as it stands in the page's address; and numbers as people read them.

import { untrack } from 'svelte';
import type { Schema } from '../../lib/api';
import { clock } from '../../lib/clock.svelte';
import { route } from '../../lib/route.svelte';
import { t } from './texts';

export const PERIODS = ['7', '30', '90', '365'] as const;
export const NARROW = ['customer', 'product', 'tier', 'severity', 'office'] as const;
export const ROWS = ['customer', 'product', 'tier', 'severity', 'office'] as const;

export type Question = {
  from: string;
  until?: string;
  zone: string;
  customer?: string;
  product?: string;
  tier?: string;
  severity?: string;
  office?: string;
};

const DAY_MS = 86_400_000;
const two = (n: number): string => String(n).padStart(2, '0');
const date = (ms: number): string => {
  const day = new Date(ms);
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
};

/** The number of days, or `custom`. */
export function period(): string {
  if (route.query.has('from')) return 'custom';
  const days = route.query.get('days') ?? '30';
  return PERIODS.some((known) => known === days) ? days : '30';
}

/** `days` begins at midnight, so that the same question asked twice a day is the same. A report is of when it was asked: no tick of the clock asks anew. */
export function question(now = untrack(() => clock.now)): Question {
  const asked: Question = {
    from: route.query.get('from') ?? date(now - (Number(period()) - 1) * DAY_MS),
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC',
  };
  const until = route.query.get('until');
  if (until) asked.until = until;
  for (const name of NARROW) {
    const value = route.query.get(name);
    if (value !== null && value !== '') asked[name] = value;
  }
  return asked;
}

/** The period that a trend is cut into: a dozen points, about. */
export function trendBy(): 'day' | 'week' | 'month' {
  const asked = question();
  const end = asked.until === undefined ? untrack(() => clock.now) : Date.parse(asked.until);
  const days = (end - Date.parse(asked.from)) / DAY_MS;
  return days <= 16 ? 'day' : days <= 190 ? 'week' : 'month';
}

/** The address of a figure's list, with everything that the number was counted under. */
export function listOf(figure: string, report: Schema['FiguresReport'], row: Schema['ReportRow']): string {
  const asked = question();
  const link = new URLSearchParams({ from: row.from, until: row.until, as_of: report.as_of });
  for (const name of NARROW) if (asked[name] !== undefined) link.set(name, asked[name]);
  report.by.forEach((by, i) => {
    const known = NARROW.find((name) => name === by);
    if (known !== undefined) link.set(known, row.group[i] ?? '');
  });
  return `/reports/${figure}?${link}`;
}

export function seconds(value: number): string {
  const whole = Math.round(value);
  const parts: string[] = [];
  const [d, h, m, s] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60, whole % 60];
  if (d > 0) parts.push(t('days', { n: d }));
  if (h > 0) parts.push(t('hours', { n: h }));
  if (m > 0 && d === 0) parts.push(t('minutes', { n: m }));
  if (parts.length === 0) parts.push(t('secondsShort', { n: s }));
  return parts.slice(0, 2).join(' ');
}

export function shown(value: number, unit: Schema['FigureUnit']): string {
  switch (unit) {
    case 'ratio':
      return `${(value * 100).toFixed(1)} %`;
    case 'seconds':
      return seconds(value);
    case 'sigma':
      return value.toFixed(2);
    case 'count':
    case 'per_million':
      return Math.round(value).toLocaleString();
  }
}

export function reference(of: Schema['ReferenceValue'], unit: Schema['FigureUnit']): string {
  const [from, to] = [of.from, of.to].map((value) => (value == null ? undefined : shown(value, unit)));
  if (from !== undefined && to !== undefined) return t('between', { a: from, b: to });
  return from !== undefined ? t('atLeast', { a: from }) : t('atMost', { a: to ?? '' });
}
