// A row's clock at this moment: the server says the deadline, the screen counts.

import type { Schema } from '../../lib/api';

export type Row = Schema['WallRow'];
export type Severity = Schema['Severity'];
export type Look = 'plenty' | 'half' | 'last' | 'over' | 'held';

export type Counted = {
  look: Look;
  /** Until the deadline; below zero when it is over. */
  leftMs: number;
  /** Of the target, 0 to 1. */
  left: number;
};

export const SEVERITIES: readonly Severity[] = ['critical', 'major', 'minor', 'warning', 'indeterminate'];

const LAST_MS = 5 * 60_000;

/** `readAt` is the moment that the row was of. */
export function counted(row: Row, now: number, readAt: number): Counted {
  const target = row.target_s * 1000;
  const net = target - row.elapsed_s * 1000;
  const isHeld = row.paused_by != null;
  // A clock that runs is at its deadline when it says so; one that is held stays where it was.
  const leftMs = isHeld ? net : row.deadline_at != null ? Math.min(Date.parse(row.deadline_at) - now, target) : net - (now - readAt);
  const left = Math.max(0, Math.min(1, leftMs / target));
  if (row.state === 'breached' || (!isHeld && leftMs <= 0)) return { look: 'over', leftMs: Math.min(leftMs, 0), left: 0 };
  if (isHeld) return { look: 'held', leftMs, left };
  if (leftMs < LAST_MS) return { look: 'last', leftMs, left };
  return { look: left > 0.5 ? 'plenty' : 'half', leftMs, left };
}

/** Minutes at which a countdown is said aloud. */
const SAID = [10, 5, 1];

/** What to say of the rows now that was not said before. */
export function toSay(rows: readonly Row[], now: number, readAt: number, said: Set<string>): { row: Row; minutes: number }[] {
  const news: { row: Row; minutes: number }[] = [];
  for (const row of rows) {
    const { look, leftMs } = counted(row, now, readAt);
    if (look === 'held' || look === 'over') continue;
    const minutes = SAID.findLast((minutes) => leftMs <= minutes * 60_000);
    if (minutes === undefined) continue;
    const key = `${row.fault} ${row.clock} ${minutes}`;
    if (!said.has(key) && leftMs > minutes * 60_000 - 5000) news.push({ row, minutes });
    said.add(key);
  }
  if (said.size > 500) said.clear();
  return news;
}
