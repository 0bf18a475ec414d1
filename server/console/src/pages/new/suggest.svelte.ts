// What fits a fault while it is typed: similar cases, and open faults that may be the same. Asked when the typing rests, and a question
// that is still on its way is given up for the next.

import { api, ask, type Schema } from '../../lib/api';
import { asFailure, type Failure } from '../../lib/failure';

export type Question = { text: string; equipment: string; customer: string };

const RESTS_MS = 300;
/** Less is a word begun. */
const LEAST_CHARACTERS = 2;
const SHOWN = 5;

export class Suggested {
  found = $state.raw<Schema['Suggestions']>();
  failure = $state.raw<Failure>();
  busy = $state(false);
  /** What the answer that is shown was asked for. */
  asked: Question = { text: '', equipment: '', customer: '' };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: AbortController | undefined;

  ask(question: Question): void {
    clearTimeout(this.#timer);
    if (question.text.trim().length < LEAST_CHARACTERS) {
      this.end();
      this.found = undefined;
      return;
    }
    this.#timer = setTimeout(() => void this.#now(question), RESTS_MS);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#running?.abort();
    this.busy = false;
  }

  async #now(question: Question): Promise<void> {
    this.#running?.abort();
    const running = (this.#running = new AbortController());
    this.busy = true;
    try {
      const { text, equipment, customer } = question;
      const body = { text, limit: SHOWN, ...(equipment === '' ? {} : { equipment }), ...(customer === '' ? {} : { customer }) };
      const found = await ask(api.POST('/api/v1/cases/suggest', { body, signal: running.signal }));
      if (running.signal.aborted) return;
      this.found = found;
      this.asked = question;
      this.failure = undefined;
    } catch (error) {
      if (running.signal.aborted) return;
      this.failure = asFailure(error);
    } finally {
      if (this.#running === running) this.busy = false;
    }
  }
}

export type Verdict = Schema['LinkVerdict'];

/** What became of an offer. It is for learning: that it could not be told is nobody's trouble here. */
export async function tell(suggested: Suggested, more: { fault?: string; opened?: readonly string[]; cited?: readonly { case: string; verdict: Verdict }[]; none_fits?: boolean }): Promise<void> {
  const { found, asked } = suggested;
  if (found?.offer === undefined) return;
  const { opened = [], cited = [], fault, none_fits = false } = more;
  const offer = {
    offer: found.offer, place: 'filing' as const, query: asked.text, shown: found.items.map((hit) => ({ case: hit.number, score: hit.score })), opened: [...opened], cited: [...cited], none_fits,
    ...(asked.equipment === '' ? {} : { equipment: asked.equipment }), ...(fault === undefined ? {} : { fault }),
  };
  await api.POST('/api/v1/cases/signals', { body: { offers: [offer] } }).catch(() => undefined);
}

/** `text` in pieces, those inside the spans marked; spans count Unicode characters. */
export function pieces(text: string, spans: readonly (readonly number[])[]): { text: string; marked: boolean }[] {
  const all = [...text];
  const cut: { text: string; marked: boolean }[] = [];
  let at = 0;
  for (const [from = 0, to = 0] of spans) {
    if (from > at) cut.push({ text: all.slice(at, from).join(''), marked: false });
    if (to > from) cut.push({ text: all.slice(Math.max(from, at), to).join(''), marked: true });
    at = Math.max(at, to);
  }
  if (at < all.length) cut.push({ text: all.slice(at).join(''), marked: false });
  return cut;
}
