// One way to do something from a page: it says what was done, or what went wrong, and never fails silently.

import { asFailure } from '../lib/failure';
import { t } from './texts';
import { toasts } from './toasts.svelte';

export async function act(done: string, run: () => Promise<unknown>, undo?: () => Promise<unknown>): Promise<boolean> {
  const worked = await attempt(run);
  if (worked) toasts.say(done, undo);
  return worked;
}

/** For what shows by itself that it was done. */
export async function attempt(run: () => Promise<unknown>): Promise<boolean> {
  try {
    await run();
    return true;
  } catch (error) {
    const failure = asFailure(error);
    toasts.fail([failure.problem?.title ?? t(failure.kind), failure.hint].filter(Boolean).join(' — '));
    return false;
  }
}
