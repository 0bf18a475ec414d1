// What the timeline says of an event: in the reader's language where its particulars allow it, else in the log's own words.

import type { Schema } from '../../lib/api';
import { moment } from '../../lib/clock.svelte';
import { word } from '../../lib/i18n.svelte';
import { clockNames, endReasons, grades, pendingReasons } from '../../lib/words';
import { doorsOf } from '../consents/paper';
import { door, duration } from '../consents/texts';
import { channels } from './words';
import { t } from './texts';

type Event = Schema['Event'];

const particular = (event: Event, name: string): unknown => (event.data as Record<string, unknown> | null)?.[name];

export const field = (event: Event, name: string): string => {
  const value = particular(event, name);
  return typeof value === 'string' ? value : '';
};

const known = <T extends string>(of: Record<T, Parameters<typeof word>[0]>, name: string): string => (name in of ? word(of[name as T]) : name);

/** Doors and time of a request or an approval, when the event says them. */
function terms(event: Event): string | undefined {
  const [doors, seconds] = [field(event, 'doors'), particular(event, 'duration_s')];
  if (doors === '' || typeof seconds !== 'number') return undefined;
  const grade = field(event, 'grade');
  return [doorsOf(doors).map(door).join(', '), duration(seconds), grade === '' || grade === 'end-to-end' ? '' : known(grades, grade)].filter(Boolean).join(' · ');
}

const lines = (...parts: (string | undefined)[]): string => parts.filter((part) => part !== undefined && part !== '').join('\n');

export function said(event: Event): string {
  switch (event.kind) {
    case 'fault.accepted': case 'fault.resumed': case 'fault.closed': case 'fault.proposes_restored': case 'session.first_byte': return '';
    case 'fault.reported': return field(event, 'title') || event.text;
    case 'fault.assigned': return [t('handedTo', { who: field(event, 'to') }), field(event, 'why'), field(event, 'open')].filter(Boolean).join('；');
    case 'fault.diagnosed': return `${t('cause')}: ${field(event, 'cause')}\n${field(event, 'plan')}`;
    case 'fault.pending': {
      const note = event.text.replace(/^waits for [a-z_]+: ?/, '');
      return [known(pendingReasons, field(event, 'reason')), note].filter(Boolean).join('：');
    }
    case 'fault.resolved': return lines(known(channels, field(event, 'channel')), field(event, 'cause'), field(event, 'note'));
    case 'fault.restored': return event.data === null ? event.text : field(event, 'waiver');
    case 'fault.alarm_attached': {
      const [count, text] = [particular(event, 'count'), field(event, 'text')];
      if (text === '') return event.text;
      return typeof count === 'number' ? t('alarmsJoined', { n: count, text }) : text;
    }
    case 'fault.routed': case 'fault.escalated': case 'fault.deescalated': {
      const to = field(event, 'office') || field(event, 'to');
      return to === '' ? event.text : lines([field(event, 'from'), to, field(event, 'person')].filter(Boolean).join(' → '), word({ zh: field(event, 'why_zh') || field(event, 'why'), en: field(event, 'why') }));
    }
    case 'clock.warned': case 'clock.breached': {
      const [percent, target] = [particular(event, 'percent'), particular(event, 'target_s')];
      if (typeof percent !== 'number' || typeof target !== 'number') return event.text;
      const of = { clock: known(clockNames, field(event, 'clock')), target: duration(target) };
      return event.kind === 'clock.breached' ? t('clockBreached', of) : t('clockWarned', { ...of, n: percent });
    }
    case 'consent.requested': {
      const asked = terms(event);
      return asked === undefined ? event.text : lines(`${field(event, 'engineer')} → ${field(event, 'device')} · ${asked}`, field(event, 'reason'));
    }
    case 'consent.approved': case 'consent.partly_approved': {
      const allowed = terms(event);
      const [count, needed] = [particular(event, 'approvals'), particular(event, 'needed')];
      const many = typeof needed === 'number' && needed > 1 ? `${String(count)}/${needed}` : '';
      return allowed === undefined ? event.text : [allowed, many, field(event, 'standing')].filter(Boolean).join(' · ');
    }
    case 'consent.live': return field(event, 'until') === '' ? event.text : [t('inForceUntil', { at: moment(field(event, 'until')) }), field(event, 'by')].filter(Boolean).join(' · ');
    case 'consent.lapsed': return field(event, 'reason') === '' ? t('notAnswered') : known(endReasons, field(event, 'reason'));
    case 'consent.ended': return field(event, 'reason') === '' ? event.text : known(endReasons, field(event, 'reason'));
    case 'session.opened': return field(event, 'device') === '' ? event.text : `${field(event, 'engineer')} → ${field(event, 'account')}@${field(event, 'device')}`;
    case 'session.watched': return field(event, 'device') === '' ? event.text : `${field(event, 'engineer')} → ${field(event, 'device')}`;
    case 'session.ended': return field(event, 'reason') === '' ? event.text : lines(known(endReasons, field(event, 'reason')), sum(particular(event, 'summary')));
    case 'terminal.opened': return field(event, 'device') || event.text;
    // These say why, and nothing else.
    case 'fault.reopened': case 'fault.rejected': case 'fault.cancelled': case 'consent.refused': case 'consent.refused_by_device': case 'consent.revoked': case 'session.kill_asked':
      return field(event, 'reason') || event.text;
    default: return event.text;
  }
}

/** How much was done in a session. */
function sum(summary: unknown): string {
  const { commands, files } = (summary ?? {}) as { commands?: unknown[]; files?: unknown[] };
  return t('sessionSum', { commands: commands?.length ?? 0, files: files?.length ?? 0 });
}
