import type { LoadedModel } from '../../providers/loaded-model.js';
import type { OnProvider, SessionOptions } from '../../providers/provider.js';
import type { Tensors } from '../../providers/tensor.js';
import { withSession } from '../../providers/with-session.js';
import { secondsFor } from './budget.js';

/** Time of all runs after the first. Other programs interrupt some of many short runs, which a mean over this time smooths. */
const TIMED_MS = 400;
const MAX_TIMED_RUNS = 200;
/** A first run of this time is not repeated. */
const LONG_RUN_MS = 1000;

/**
 * Measures the time to get a feed and run a model, as a multiple of the time that its work predicts; at least 1. Throws what the
 * provider throws, and `aborted`.
 */
export async function measureSlowness(
  { file }: LoadedModel,
  feed: () => Promise<Tensors>,
  work: number,
  options: OnProvider & {
    readonly session?: SessionOptions | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<number> {
  const expected = 1000 * secondsFor(work);
  if (!(expected > 0)) return 1;
  return withSession(file, options, async (session) => {
    const timed = async () => {
      const start = performance.now();
      await session.run(await feed());
      return performance.now() - start;
    };
    const first = await timed();
    if (first >= LONG_RUN_MS) return Math.max(1, first / expected);
    let [total, runs] = [0, 0];
    while (total < TIMED_MS && runs < MAX_TIMED_RUNS) {
      total += await timed();
      runs++;
    }
    return Math.max(1, total / runs / expected);
  });
}
