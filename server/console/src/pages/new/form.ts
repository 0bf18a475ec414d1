// What a report is made of, and what is wrong with it.

import type { Schema } from '../../lib/api';
import { me } from '../../lib/me.svelte';
import { recall, remember } from '../../lib/remembered.svelte';
import { t } from './texts';

export type Form = {
  equipment: string;
  /** What was typed of equipment that is not registered. */
  unknown: string;
  customer: string;
  title: string;
  description: string;
  impact: '' | Schema['Impact'];
  kind: Schema['FaultKind'];
  /** As `datetime-local` has it. */
  started: string;
  contact: string;
  reference: string;
  allow: boolean;
  doors: string[];
  hours: number;
  level: number;
  cited: string[];
};

export const empty = (): Form => ({
  equipment: '', unknown: '', customer: '', title: '', description: '', impact: '', kind: 'fault', started: '', contact: '', reference: '',
  allow: false, doors: ['shell', 'exec'], hours: 2, level: 2, cited: [],
});

export const LONGEST_TITLE = 300;
/** In the order of the page. */
export type FieldName = 'equipment' | 'customer' | 'title' | 'impact' | 'started';
export const FIELDS: readonly FieldName[] = ['equipment', 'customer', 'title', 'impact', 'started'];

export function wrongs(form: Form, now: number): Partial<Record<FieldName, string>> {
  const wrong: Partial<Record<FieldName, string>> = {};
  if (form.equipment === '' && form.unknown === '') wrong.equipment = t('equipmentMissing');
  if (form.equipment === '' && form.unknown !== '' && form.customer === '' && !me.isCustomer) wrong.customer = t('customerMissing');
  if (form.title.trim() === '') wrong.title = t('symptomMissing');
  else if ([...form.title].length > LONGEST_TITLE) wrong.title = t('symptomLong', { n: LONGEST_TITLE });
  if (form.impact === '') wrong.impact = t('impactMissing');
  if (form.started !== '' && new Date(form.started).getTime() > now) wrong.started = t('startedFuture');
  return wrong;
}

export function bodyOf(form: Form): Schema['NewFault'] {
  const extra = [
    form.equipment === '' && form.unknown !== '' ? `设备（待核实）/ equipment (to be verified): ${form.unknown}` : '',
    form.contact.trim() === '' ? '' : `联系人 / contact: ${form.contact.trim()}`,
  ];
  const description = [form.description.trim(), ...extra].filter(Boolean).join('\n');
  const customer = form.equipment === '' && !me.isCustomer ? form.customer : '';
  return {
    title: form.title.trim(), description, impact: form.impact === '' ? 'none' : form.impact, kind: form.kind,
    ...(form.equipment === '' ? {} : { equipment: form.equipment }),
    ...(customer === '' ? {} : { customer }),
    ...(form.reference.trim() === '' ? {} : { customer_reference: form.reference.trim() }),
    ...(form.started === '' ? {} : { started_at: new Date(form.started).toISOString() }),
  };
}

/** As `datetime-local` has it. */
export function localTime(at: string): string {
  const ms = Date.parse(at);
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** As the server derives it. */
export const SEVERITY_OF: Record<Schema['Impact'], Schema['Severity']> = { none: 'minor', partial: 'major', full: 'critical' };

const RECENT = 6;
// Among the drafts, so that it is forgotten with them when somebody else signs in here.
const recentName = (): string => `draft.${me.person?.name ?? '-'}.recent-equipment`;

export const recent = (): string[] => (recall(recentName()) ?? '').split('\n').filter(Boolean);
export const used = (name: string): void => remember(recentName(), [name, ...recent().filter((one) => one !== name)].slice(0, RECENT).join('\n'));

/** Whose equipment `ne-1.jw.ne` is. */
export const customerOf = (equipment: string): string => equipment.split('.').at(-2)?.toUpperCase() ?? '';

/** The command that signs the consent for a fault that was filed. */
export function command(form: Pick<Form, 'equipment' | 'level' | 'doors' | 'hours'>, fault: string): string {
  return `lineman standing grant --devices ${form.equipment} --fault ${fault} --level ${form.level} --doors ${form.doors.join(',')} --for ${form.hours}h --until 1d --key ~/.ssh/consent`;
}
