// The steps that ask something first: what is asked, and what becomes of the answers.

import { api, ask, type Schema } from '../../lib/api';
import { draftName } from '../../lib/drafts.svelte';
import { word } from '../../lib/i18n.svelte';
import { pendingReasons } from '../../lib/words';
import { toasts } from '../../ui/toasts.svelte';
import type { Form } from './FormDialog.svelte';
import { activityKinds, linkKinds } from './words';
import { t } from './texts';
import type { Work } from './work.svelte';

export type Name = 'assign' | 'hold' | 'escalate' | 'restore' | 'reopen' | 'reject' | 'cancel' | 'duplicate' | 'merge' | 'unmerge' | 'activity' | 'link' | 'problem';

const reasonPart = (label: string): Form['parts'][number] => ({ name: 'reason', label, kind: 'text', required: true });
const toInstant = (local: string | undefined): string | undefined => (local === undefined || local === '' ? undefined : new Date(local).toISOString());
const numbers = (text: string | undefined): string[] => (text ?? '').toUpperCase().split(/[\s,，、]+/).filter(Boolean);

/** Proposals are a help: without them the name is typed. */
async function proposed<T>(read: Promise<{ items: T[] }>, name: (one: T) => string | undefined): Promise<string[]> {
  try {
    return (await read).items.map(name).filter((one) => one !== undefined);
  } catch {
    return [];
  }
}

export async function formOf(name: Name, work: Work, preset?: string): Promise<Form> {
  return { ...(await made(name, work, preset)), keep: draftName(['fault', work.number, name, preset].filter(Boolean).join('.')) };
}

async function made(name: Name, work: Work, preset?: string): Promise<Form> {
  const params = { path: { fault: work.number } };
  const said = (text: string) => <T>(answer: T): T => {
    toasts.say(text);
    return answer;
  };
  const done = (change: Promise<unknown>, text: string): Promise<unknown> => work.changed(change).then(said(text));
  switch (name) {
    case 'assign': {
      const people = await proposed(ask(api.GET('/api/v1/people')), (one) => (one.customer == null && one.disabled == null && ['engineer', 'duty_manager', 'admin'].includes(one.role) ? one.name : undefined));
      return {
        title: t('assign'), act: t('assign'),
        parts: [{ name: 'to', label: t('assignTo'), kind: 'line', proposals: people, required: true }, { name: 'why', label: t('why'), kind: 'line' }, { name: 'open', label: t('whatIsOpen'), kind: 'text', hint: t('whatIsOpenHint') }],
        run: ({ to = '', why = '', open = '' }) => done(ask(api.POST('/api/v1/faults/{fault}/assign', { params, body: { to, why, open } })), t('assigned', { who: to })),
      };
    }
    case 'hold':
      return {
        title: t('hold'), what: t('holdWhat'), act: t('hold'),
        parts: [
          { name: 'reason', label: t('why'), kind: 'choice', options: (Object.keys(pendingReasons) as Schema['PendingReason'][]).map((value) => ({ value, label: word(pendingReasons[value]) })) },
          { name: 'note', label: t('waitsForWhat'), kind: 'text', required: true },
        ],
        run: ({ reason, note = '' }) => done(ask(api.POST('/api/v1/faults/{fault}/pending', { params, body: { reason: reason as Schema['PendingReason'], note } })), t('held')),
      };
    case 'escalate': {
      const offices = await proposed(ask(api.GET('/api/v1/offices')), (one) => one.name);
      return {
        title: t('escalate'), what: t('escalateWhat'), act: t('escalate'),
        parts: [
          { name: 'to', label: t('office'), kind: 'line', proposals: offices, hint: t('officeHint') },
          { name: 'level', label: t('level'), kind: 'choice', options: ['', '1', '2', '3'].map((value) => ({ value, label: value === '' ? t('anyLevel') : value })) },
          reasonPart(t('why')),
        ],
        run: ({ to = '', level = '', reason = '' }) => done(ask(api.POST('/api/v1/faults/{fault}/escalation', { params, body: { reason, ...(to === '' ? {} : { to }), ...(level === '' ? {} : { level: Number(level) }) } })), t('escalated')),
      };
    }
    case 'restore': {
      const raised = (work.page?.alarms ?? []).filter((alarm) => alarm.state === 'raised').length;
      return {
        title: t('restore'), what: raised > 0 ? t('stillRaised', { n: raised }) : t('restoreWhat'), act: t('restore'),
        parts: raised > 0 ? [{ name: 'waiver', label: t('waiver'), kind: 'text', required: true }] : [],
        run: ({ waiver = '' }) => done(ask(api.POST('/api/v1/faults/{fault}/restoration', { params, body: waiver === '' ? {} : { waiver } })), t('restored')),
      };
    }
    case 'reopen':
      return { title: t('reopen'), act: t('reopen'), parts: [reasonPart(t('why'))], run: ({ reason = '' }) => done(ask(api.POST('/api/v1/faults/{fault}/reopening', { params, body: { reason } })), t('reopened')) };
    case 'reject':
      return { title: t('reject'), what: t('rejectWhat'), act: t('reject'), danger: true, parts: [reasonPart(t('why'))], run: ({ reason = '' }) => done(ask(api.POST('/api/v1/faults/{fault}/rejection', { params, body: { reason } })), t('rejected')) };
    case 'cancel':
      return { title: t('cancelFault'), what: t('cancelWhat'), act: t('cancelFault'), danger: true, parts: [reasonPart(t('why'))], run: ({ reason = '' }) => done(ask(api.POST('/api/v1/faults/{fault}/cancellation', { params, body: { reason } })), t('cancelled')) };
    case 'duplicate':
      return {
        title: t('duplicate'), what: t('duplicateWhat'), act: t('duplicate'), parts: [{ name: 'of', label: t('duplicateOfWhich'), kind: 'line', required: true, hint: 'F-JW-17' }],
        run: ({ of = '' }) => done(ask(api.POST('/api/v1/faults/{fault}/duplicate', { params, body: { of: of.toUpperCase() } })), t('isDuplicate')),
      };
    case 'merge':
      return {
        title: t('merge'), what: t('mergeWhat'), act: t('merge'), parts: [{ name: 'faults', label: t('mergeWhich'), kind: 'line', required: true, hint: 'F-JW-17, F-JW-18', value: preset ?? '' }, { name: 'reason', label: t('why'), kind: 'line' }],
        run: ({ faults, reason = '' }) => done(ask(api.POST('/api/v1/faults/{fault}/merge', { params, body: { faults: numbers(faults), reason } })), t('merged')),
      };
    case 'unmerge':
      return { title: t('unmerge'), act: t('unmerge'), parts: [{ name: 'reason', label: t('why'), kind: 'text', required: true }], run: ({ reason = '' }) => done(ask(api.POST('/api/v1/faults/{fault}/unmerge', { params, body: { reason } })), t('unmerged')) };
    case 'activity':
      return {
        title: t('addActivity'), act: t('addActivity'),
        parts: [
          { name: 'kind', label: t('activityKind'), kind: 'choice', options: (['phone', 'guidance', 'visit'] as const).map((value) => ({ value, label: word(activityKinds[value]) })) },
          { name: 'with', label: t('activityWith'), kind: 'line' },
          { name: 'text', label: t('activityText'), kind: 'text' },
          { name: 'planned', label: t('activityPlan'), kind: 'check' },
          { name: 'at', label: t('activityWhen'), kind: 'moment', required: true, when: (values) => values['planned'] === 'yes' },
        ],
        run: ({ kind, with: whom = '', text = '', at }) => {
          const planned_at = toInstant(at);
          return done(ask(api.POST('/api/v1/faults/{fault}/activities', { params, body: { kind: kind as Schema['ActivityKind'], text, ...(whom === '' ? {} : { with: whom }), ...(planned_at ? { planned_at } : {}) } })), t('activityAdded'));
        },
      };
    case 'link':
      return {
        title: t('addLink'), act: t('addLink'),
        parts: [
          { name: 'kind', label: t('linkKind'), kind: 'choice', options: (Object.keys(linkKinds) as Schema['LinkKind'][]).map((value) => ({ value, label: word(linkKinds[value]) })) },
          { name: 'to', label: t('linkTo'), kind: 'line', required: true, hint: 'F-JW-17' },
        ],
        run: ({ kind, to = '' }) => done(ask(api.POST('/api/v1/faults/{fault}/links', { params, body: { kind: kind as Schema['LinkKind'], to: to.toUpperCase() } })), t('linked')),
      };
    case 'problem': {
      const problems = await proposed(ask(api.GET('/api/v1/problems')), (one) => (one.state === 'open' ? one.number : undefined));
      return {
        title: t('attachProblem'), what: t('problemWhat'), act: t('attachProblem'),
        parts: [{ name: 'number', label: t('problemNumber'), kind: 'line', proposals: problems, hint: t('problemHint') }, { name: 'title', label: t('problemTitle'), kind: 'line', when: (values) => (values['number'] ?? '') === '' }],
        run: ({ number = '', title = '' }) =>
          number === ''
            ? done(openProblem(work, title === '' ? (work.page?.title ?? work.number) : title), t('problemOpened'))
            : done(ask(api.POST('/api/v1/problems/{problem}/faults', { params: { path: { problem: number.toUpperCase() } }, body: { faults: [work.number] } })), t('problemAttached')),
      };
    }
  }
}

/** A problem is about equipment of a kind: that of this fault, until somebody says more. */
async function openProblem(work: Work, title: string): Promise<unknown> {
  const equipment = work.page?.equipment;
  const known = equipment ? await ask(api.GET('/api/v1/equipment/{equipment}', { params: { path: { equipment } } })) : undefined;
  const fits = known ? { product: known.product, model: known.model } : {};
  return ask(api.POST('/api/v1/problems', { body: { title, fits, faults: [work.number] } }));
}
