// Calendars as people type them: a line a rule.

import type { Schema } from '../../../lib/api';

type Calendar = Schema['Calendar'];
const lines = (text: string | undefined): string[] => (text ?? '').split('\n').map((line) => line.trim()).filter(Boolean);

/** `mon,tue,wed 09:00-12:00 13:30-18:00` */
export const weekText = (of: Calendar): string => (of.week ?? []).map(({ days, hours }) => `${days.join(',')} ${hours.join(' ')}`).join('\n');
/** `2026-10-01 国庆` */
export const holidayText = (of: Calendar): string => (of.holidays ?? []).map(({ date, name }) => `${date} ${name}`).join('\n');
/** `2026-10-10 09:00-18:00 调休` */
export const extraText = (of: Calendar): string => (of.extra_days ?? []).map(({ date, hours, name }) => `${date} ${hours.join(' ')} ${name}`).join('\n');

const isSpan = (text: string): boolean => /^\d\d:\d\d-\d\d:\d\d$/.test(text);

/** What is wrong in a line is said by the server, in its words. */
export function calendarOf(name: string, values: Record<string, string>): Calendar {
  return {
    name,
    kind: 'hours',
    week: lines(values.week).map((line) => {
      const [days = '', ...hours] = line.split(/\s+/);
      return { days: days.split(',') as Schema['Weekday'][], hours };
    }),
    holidays: lines(values.holidays).map((line) => {
      const [date = '', ...rest] = line.split(/\s+/);
      return { date, name: rest.join(' ') };
    }),
    extra_days: lines(values.extra).map((line) => {
      const [date = '', ...rest] = line.split(/\s+/);
      return { date, hours: rest.filter(isSpan), name: rest.filter((part) => !isSpan(part)).join(' ') };
    }),
  };
}
