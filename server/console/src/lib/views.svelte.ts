// Saved views: a list, a query and a name, with how many fit now. One copy for the whole console.

import { api, ask, type Schema } from './api';
import { asFailure, type Failure } from './failure';
import { stream } from './stream.svelte';

export type View = Schema['SavedView'];
export type ViewList = Schema['ViewList'];

const LISTS: Record<ViewList, true> = { faults: true, alarms: true, sessions: true, equipment: true, consents: true, cases: true };
/** Counts are read again this often at most: they are a hint, and every open browser asks for them. */
const COUNT_EVERY_MS = 2000;
/** Some counts change as time goes by, without anything happening. */
const TIME_GOES_BY_MS = 30_000;

export const isList = (name: string): name is ViewList => name in LISTS;

/** The address that shows a view. */
export function hrefOf(view: Pick<View, 'list' | 'query' | 'sort'>): string {
  const query = new URLSearchParams();
  if (view.query !== '') query.set('q', view.query);
  if (view.sort != null) query.set('sort', view.sort);
  return `/${view.list}${query.size > 0 ? `?${query}` : ''}`;
}

class Views {
  all = $state.raw<readonly View[]>([]);
  failure = $state.raw<Failure>();
  /** Open critical faults. */
  criticals = $state(0);
  /** The name of a new view is being asked for. */
  isSaving = $state(false);
  /** Their names and order are being changed. */
  isManaging = $state(false);
  #users = 0;
  #end: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #last = -COUNT_EVERY_MS;

  /** For as long as somebody shows them. */
  use(): () => void {
    if (this.#users++ === 0) this.#begin();
    return () => {
      if (--this.#users === 0) this.#end?.();
    };
  }

  begin(): void {
    this.isSaving = true;
  }

  async save(view: Schema['NewView']): Promise<View> {
    const saved = await ask(api.POST('/api/v1/views', { body: view }));
    await this.read();
    return saved;
  }

  async edit(view: View, change: Schema['EditView']): Promise<void> {
    await ask(api.PATCH('/api/v1/views/{view}', { params: { path: { view: view.id } }, body: change }));
    await this.read();
  }

  async remove(view: View): Promise<void> {
    this.all = this.all.filter((one) => one.id !== view.id);
    try {
      await ask(api.DELETE('/api/v1/views/{view}', { params: { path: { view: view.id } } }));
    } finally {
      await this.read();
    }
  }

  /** One place up or down among one's own of the same list. */
  async move(view: View, by: -1 | 1): Promise<void> {
    const own = this.all.filter((one) => one.list === view.list && one.shared === view.shared && one.yours);
    const here = own.findIndex((one) => one.id === view.id);
    const other = own[here + by];
    if (other === undefined) return;
    own[here] = other;
    own[here + by] = view;
    for (const [position, one] of own.entries()) {
      if (one.position !== position + 1) await ask(api.PATCH('/api/v1/views/{view}', { params: { path: { view: one.id } }, body: { position: position + 1 } }));
    }
    await this.read();
  }

  async read(): Promise<void> {
    this.#last = performance.now();
    const [saved, critical] = await Promise.allSettled([
      ask(api.GET('/api/v1/views')),
      ask(api.GET('/api/v1/faults', { params: { query: { q: 'severity:critical', limit: 1 } } })),
    ]);
    if (saved.status === 'fulfilled') this.all = saved.value.items;
    this.failure = saved.status === 'rejected' ? asFailure(saved.reason) : undefined;
    if (critical.status === 'fulfilled') this.criticals = critical.value.total ?? critical.value.total_at_least ?? 0;
    const icon = document.querySelector<HTMLLinkElement>('link[rel=icon]');
    const wanted = this.criticals > 0 ? '/critical.svg' : '/calm.svg';
    if (icon && icon.getAttribute('href') !== wanted) icon.setAttribute('href', wanted);
  }

  #begin(): void {
    void this.read();
    const ends = [stream.on(['fault', 'clock', 'consent', 'session', 'alarm', 'agent', 'case', 'equipment'], () => this.#soon()), stream.onReturn(() => this.#soon())];
    const timer = setInterval(() => this.#soon(), TIME_GOES_BY_MS);
    this.#end = () => {
      for (const end of ends) end();
      clearInterval(timer);
      clearTimeout(this.#timer);
      this.#timer = undefined;
    };
  }

  #soon(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.read();
    }, Math.max(200, COUNT_EVERY_MS - (performance.now() - this.#last)));
  }
}

export const views = new Views();
