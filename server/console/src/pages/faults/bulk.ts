// One thing done to several faults: a few at a time, each with its own outcome.

import { asFailure, type Failure } from '../../lib/failure';

const AT_ONCE = 3;

/** Those that did not work, with why. */
export async function each(numbers: readonly string[], run: (number: string) => Promise<unknown>, tell: (done: number) => void): Promise<Map<string, Failure>> {
  const failed = new Map<string, Failure>();
  const rest = [...numbers];
  let done = 0;
  const worker = async (): Promise<void> => {
    for (let number = rest.shift(); number !== undefined; number = rest.shift()) {
      try {
        await run(number);
      } catch (error) {
        failed.set(number, asFailure(error));
      }
      tell(++done);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return failed;
}
