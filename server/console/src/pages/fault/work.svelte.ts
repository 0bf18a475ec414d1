// One fault, and what is done to it from its page.

import { api, ask, askWhole, type Schema } from '../../lib/api';
import { loaded, type Loaded } from '../../lib/loaded.svelte';
import { me } from '../../lib/me.svelte';
import { remembered } from '../../lib/seen';
import { can, isOver, type Step } from './steps';

export type FaultPage = Schema['FaultPage'];
type Read = { page: FaultPage; etag: string | null };

const EVERY: readonly string[] = ['fault', 'alarm', 'clock', 'consent', 'session', 'terminal', 'case', 'problem', 'standing'];

export class Work {
  readonly number: string;
  readonly read: Loaded<Read>;
  readonly consents: Loaded<readonly Schema['ConsentView'][]>;
  readonly sessions: Loaded<readonly Schema['Session'][]>;
  /** What is being typed, for the search of similar cases. */
  typed = $state('');
  /** When a key was last pressed in a text of this page. */
  typedAt = $state(0);

  /** Call it while the page is made. */
  constructor(number: string) {
    this.number = number;
    const mine = (event: { fault?: string | null; kind: string }): boolean => event.fault === number || event.kind === 'alarm.batch';
    const path = { path: { fault: number } };
    this.read = loaded(
      async (signal) => {
        const { data, etag } = await askWhole(api.GET('/api/v1/faults/{fault}', { params: path, signal }));
        return { page: data, etag };
      },
      { on: EVERY, only: mine },
    );
    this.consents = loaded(async (signal) => (await ask(api.GET('/api/v1/consents', { params: { query: { fault: number } }, signal }))).items, { on: ['consent', 'fault.closed', 'customer.stopped'], only: (event) => event.fault === number || event.kind === 'customer.stopped' });
    this.sessions = loaded(async (signal) => (await ask(api.GET('/api/v1/sessions', { params: { query: { fault: number } }, signal }))).items, { on: ['session', 'terminal'], only: mine });
  }

  get page(): FaultPage | undefined {
    return this.read.data?.page;
  }

  get isOver(): boolean {
    return this.page !== undefined && isOver(this.page.status);
  }

  /** May this person take the step, where the fault is now? */
  may(step: Step): boolean {
    // A row of the list that one came from is enough to begin with: a key that is pressed at once counts.
    const known = this.page ?? remembered(this.number);
    if (known === undefined || !can(known.status, step)) return false;
    if (step === 'close') return me.is('noc', 'engineer', 'duty_manager', 'admin');
    if (step === 'reopen' || step === 'cancel') return !me.is('auditor');
    return me.isSupport;
  }

  /** After a change: what the page shows is read again at once. */
  async changed<T>(change: Promise<T>): Promise<T> {
    const answer = await change;
    await this.read.now();
    return answer;
  }
}

/** The fault's newest word on the road in: the one that lives, else that is awaited, else the last. */
export function leading(consents: readonly Schema['ConsentView'][]): Schema['ConsentView'] | undefined {
  const known = consents.filter((one) => one.state !== 'challenged');
  for (const state of ['live', 'approved', 'requested'] as const) {
    const one = known.find((consent) => consent.state === state);
    if (one) return one;
  }
  return known[0];
}
