// Reports of faults that the network did not take. They wait in this browser, and are sent under the key that they were first sent with:
// the server files each once, however often it is tried, and from however many tabs.

import { api, ask, type Schema } from './api';
import { asFailure, type Failure } from './failure';
import { me } from './me.svelte';
import { recall, remember } from './remembered.svelte';
import { stream } from './stream.svelte';

export type Unsent = {
  /** `Idempotency-Key`. */
  key: string;
  body: Schema['NewFault'];
  /** Milliseconds since the epoch, by this computer. */
  at: number;
  /** Why the server does not want it, or `old`; it waits for a person then. */
  refused?: string;
};

const TRY_EVERY_MS = 15_000;
/** The server knows a key for a day: after that, an attempt that did arrive would be filed a second time. */
const KNOWN_MS = 23 * 3600_000;

/** Files one under its key. */
export const file = (key: string, body: Schema['NewFault']): Promise<Schema['Fault']> =>
  ask(api.POST('/api/v1/faults', { body, headers: { 'idempotency-key': key } }));

class Outbox {
  all = $state.raw<readonly Unsent[]>([]);
  #sending = false;
  #tell: (number: string) => void = () => {};

  /** Sends what waits, until the returned function is called. */
  run(tell: (number: string) => void): () => void {
    this.#tell = tell;
    const go = (): void => void this.send();
    const timer = setInterval(go, TRY_EVERY_MS);
    const end = stream.onReturn(go);
    addEventListener('online', go);
    go();
    return () => {
      removeEventListener('online', go);
      clearInterval(timer);
      end();
    };
  }

  put(unsent: Unsent): void {
    this.#keep([...this.#kept().filter((one) => one.key !== unsent.key), unsent]);
  }

  take(key: string): Unsent | undefined {
    const kept = this.#kept();
    this.#keep(kept.filter((one) => one.key !== key));
    return kept.find((one) => one.key === key);
  }

  async send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    try {
      this.all = this.#kept();
      for (const unsent of this.all.filter((one) => one.refused === undefined)) {
        const failure = await this.#try(unsent);
        if (failure && ['offline', 'busy', 'server', 'signed_out'].includes(failure.kind)) return;
        if (failure) this.put({ ...unsent, refused: failure.problem?.title ?? failure.kind });
      }
    } finally {
      this.#sending = false;
    }
  }

  async #try(unsent: Unsent): Promise<Failure | undefined> {
    if (Date.now() - unsent.at > KNOWN_MS) {
      this.put({ ...unsent, refused: 'old' });
      return undefined;
    }
    try {
      const fault = await file(unsent.key, unsent.body);
      this.take(unsent.key);
      this.#tell(fault.number);
      return undefined;
    } catch (error) {
      return asFailure(error);
    }
  }

  get #name(): string {
    return `draft.${me.person?.name ?? '-'}.unsent`;
  }

  /** As the browser has it: another tab may have changed it. */
  #kept(): readonly Unsent[] {
    try {
      const kept: unknown = JSON.parse(recall(this.#name) ?? '[]');
      return Array.isArray(kept) ? (kept as Unsent[]) : [];
    } catch {
      return [];
    }
  }

  #keep(all: readonly Unsent[]): void {
    this.all = all;
    remember(this.#name, all.length === 0 ? undefined : JSON.stringify(all));
  }
}

export const outbox = new Outbox();
