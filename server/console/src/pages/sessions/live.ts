// What a live session's page knows: the session, one's own terminal in it, the consent that it rests on, the clock that runs.

import { api, ask, type Schema } from '../../lib/api';
import { Failure } from '../../lib/failure';

export type Live = {
  session: Schema['SessionRow'] | undefined;
  terminal: Schema['Terminal'] | undefined;
  consent: Schema['ConsentView'] | undefined;
  clock: Schema['Clock'] | undefined;
};

/** A terminal's session is told by the device a moment after the terminal is there; the device's clock may differ by a little. */
const SKEW_MS = 120_000;

/** `id` is a session's or a terminal's. */
export async function readLive(id: string, mayOpen: boolean, signal: AbortSignal): Promise<Live> {
  const own = mayOpen ? (await ask(api.GET('/api/v1/terminals', { signal }))).items : [];
  if (id.startsWith('trm_')) {
    const terminal = own.find((one) => one.id === id);
    if (!terminal) throw new Failure('not_found', undefined, 404);
    if (terminal.consent == null) return { session: undefined, terminal, consent: undefined, clock: undefined };
    const consent = await ask(api.GET('/api/v1/consents/{consent}', { params: { path: { consent: terminal.consent } }, signal }));
    const sessions = await ofFault(consent.fault, signal);
    const session = sessions.find((one) => pairOf(one, own, sessions)?.id === id);
    return { session, terminal, consent, clock: await clockOf(consent.fault, signal) };
  }
  const known = await ask(api.GET('/api/v1/sessions/{session}', { params: { path: { session: id } }, signal }));
  const [sessions, consent, clock] = await Promise.all([
    ofFault(known.fault, signal),
    ask(api.GET('/api/v1/consents/{consent}', { params: { path: { consent: known.consent } }, signal })),
    clockOf(known.fault, signal),
  ]);
  const session = sessions.find((one) => one.id === id);
  const terminal = session && known.state === 'live' ? pairOf(session, own, sessions) : undefined;
  return { session: session && { ...session, ...known }, terminal, consent, clock };
}

async function ofFault(fault: string, signal: AbortSignal): Promise<Schema['SessionRow'][]> {
  return (await ask(api.GET('/api/v1/sessions', { params: { query: { fault, limit: 1000 } }, signal }))).items;
}

/** The clock with the least time left. */
async function clockOf(fault: string, signal: AbortSignal): Promise<Schema['Clock'] | undefined> {
  const { items } = await ask(api.GET('/api/v1/faults/{fault}/clocks', { params: { path: { fault } }, signal }));
  return items
    .filter((one) => one.state === 'running' && one.deadline_at != null)
    .sort((a, b) => Date.parse(a.deadline_at ?? '') - Date.parse(b.deadline_at ?? ''))[0];
}

/** A terminal is one session under the same consent: the one that began right after it. */
function pairOf(session: Schema['Session'], terminals: readonly Schema['Terminal'][], sessions: readonly Schema['Session'][]): Schema['Terminal'] | undefined {
  const distance = (one: Schema['Session'], terminal: Schema['Terminal']): number => Math.abs(Date.parse(one.started_at) - Date.parse(terminal.created_at));
  const fits = (one: Schema['Session'], terminal: Schema['Terminal']): boolean =>
    one.consent === terminal.consent && one.device === terminal.device && distance(one, terminal) < SKEW_MS;
  return terminals
    .filter((terminal) => fits(session, terminal))
    .find((terminal) => sessions.every((other) => other.id === session.id || !fits(other, terminal) || distance(other, terminal) >= distance(session, terminal)));
}

export const short = (id: string): string => `${id.slice(0, 4)}${id.slice(-6)}`;
