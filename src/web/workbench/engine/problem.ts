import { messageOf, OnnxMishError } from '../../../base/error.js';
import type { Answer, Problem } from '../protocol.js';

/** Advice for the page, in place of advice that names an option of the command line. */
const IN_PAGE: readonly (readonly [option: RegExp, fix: string])[] = [
  [/--(shape|dim)\b/, 'Give the sizes of the model’s free dimensions'],
  [/--limit\b/, 'Give as many images as fill whole batches'],
  [/--data\b/, 'Give arrays as an .npz'],
  [/--(size|resize|layout|mean|std)\b/, 'Change how the images are prepared'],
];

/** Converts a thrown value into a plain object that can be sent between workers. */
export function problemOf(error: unknown): Problem {
  if (!(error instanceof OnnxMishError)) return { code: 'run-failed', what: messageOf(error) };
  const { code, what, where, fix = '' } = error;
  const other = IN_PAGE.find(([option]) => option.test(fix))?.[1];
  return { code, what, where, fix: (other ?? fix) || undefined };
}

/** Runs `work` and returns its result, or the problem if it throws. */
export async function answer<T>(work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, problem: problemOf(error) };
  }
}
