// What can go wrong between a page and the server, by what the page can do about it.

import type { Schema } from './api';

export type Kind = 'offline' | 'signed_out' | 'forbidden' | 'not_found' | 'conflict' | 'invalid' | 'busy' | 'server';

export class Failure extends Error {
  constructor(
    readonly kind: Kind,
    /** The server's own words: what was wrong, and what would be right. */
    readonly problem: Schema['Problem'] | undefined,
    readonly status: number,
  ) {
    super(problem?.title ?? kind);
  }

  get requestId(): string | undefined {
    return this.problem?.request_id ?? undefined;
  }

  get hint(): string | undefined {
    return this.problem?.hint ?? undefined;
  }
}

const KINDS: Record<number, Kind> = {
  401: 'signed_out',
  403: 'forbidden',
  404: 'not_found',
  409: 'conflict',
  412: 'conflict',
  428: 'conflict',
  429: 'busy',
  503: 'busy',
};

export function failureOf(status: number, problem: unknown): Failure {
  const told = problem !== null && typeof problem === 'object' && 'title' in problem ? (problem as Schema['Problem']) : undefined;
  return new Failure(KINDS[status] ?? (status < 500 ? 'invalid' : 'server'), told, status);
}

export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (error instanceof TypeError) return new Failure('offline', undefined, 0);
  throw error;
}
