// Who is signed in.

import { api, ask, onSignedOut, type Schema } from './api';
import { Failure } from './failure';
import { forgetDrafts } from './remembered.svelte';
import { stream } from './stream.svelte';

type Person = Schema['Person'];
export type Role = Schema['Role'];

class Me {
  person = $state.raw<Person>();
  /** `expired`: somebody was signed in, and what they were doing is still on the page. */
  state = $state<'unknown' | 'in' | 'out' | 'expired' | 'unreachable'>('unknown');

  #enteredAt = 0;

  constructor() {
    onSignedOut((asked) => {
      // A refusal may come late: what was asked before somebody signed in again says nothing of this sign-in.
      if (this.state === 'in' && asked > this.#enteredAt) this.state = 'expired';
    });
  }

  async load(): Promise<void> {
    try {
      this.entered(await ask(api.GET('/api/v1/whoami')));
    } catch (error) {
      // Whoever is in keeps the page, whatever this one question came to; an ended sign-in has been told already.
      if (this.state === 'unknown' || this.state === 'unreachable') this.state = error instanceof Failure && error.kind === 'signed_out' ? 'out' : 'unreachable';
    }
  }

  entered(person: Person): void {
    const wasExpired = this.state === 'expired';
    this.person = person;
    this.state = 'in';
    this.#enteredAt = performance.now();
    forgetDrafts(person.name);
    // What pages asked for meanwhile was refused.
    if (wasExpired) stream.again();
  }

  async leave(): Promise<void> {
    await ask(api.POST('/api/v1/sign-out'));
    this.person = undefined;
    this.state = 'out';
  }

  is(...roles: Role[]): boolean {
    return this.person !== undefined && roles.includes(this.person.role);
  }

  /** Works on faults at the support centre. */
  get isSupport(): boolean {
    return this.is('engineer', 'duty_manager', 'admin');
  }

  /** Belongs to a carrier: sees their own things only. */
  get isCustomer(): boolean {
    return this.person?.customer != null;
  }
}

export const me = new Me();
