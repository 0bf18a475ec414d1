// The server's API, typed by its own description: a route that changes breaks the build here.

import createClient from 'openapi-fetch';
import { Failure, failureOf } from './failure';
import type { components, paths } from './schema';

export type Schema = components['schemas'];

export const api = createClient<paths>({ baseUrl: location.origin, credentials: 'same-origin' });

/** Called when the server no longer knows who asks, with the moment of the question. */
let whenSignedOut = (_asked: number): void => {};
export function onSignedOut(tell: (asked: number) => void): void {
  whenSignedOut = tell;
}

type Answer<T> = { data?: T; error?: unknown; response: Response };

/** The answer's body, or a `Failure`. */
export async function ask<T>(question: Promise<Answer<T>>): Promise<T> {
  return (await askWhole(question)).data;
}

/** The same with the entity tag, for changes that must not run over somebody else's. */
export async function askWhole<T>(question: Promise<Answer<T>>): Promise<{ data: T; etag: string | null }> {
  const asked = performance.now();
  let answer: Answer<T>;
  try {
    answer = await question;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new Failure('offline', undefined, 0);
  }
  if (!answer.response.ok) {
    const failure = failureOf(answer.response.status, answer.error);
    if (failure.kind === 'signed_out') whenSignedOut(asked);
    throw failure;
  }
  return { data: answer.data as T, etag: answer.response.headers.get('etag') };
}
