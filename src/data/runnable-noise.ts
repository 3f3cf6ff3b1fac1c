// Noise of sizes with which a model runs.
import { OnnxMishError } from '../base/error.js';
import type { Session } from '../providers/provider.js';
import { type Dataset, type Feeds, firstFeed } from './dataset.js';

/**
 * Returns noise with which the model runs: that of the first attempt at sizes of free dimensions whose first run does not fail. Noise of
 * given sizes, and other data, are returned as they are, without a run. Throws the error of the first attempt
 * if all fail: `run-failed`, or `bad-data` for too much noise. Throws `aborted`.
 *
 * @example
 * const dataset = await runnableNoise(session, seededFeeds(session.inputs, {}));
 */
export async function runnableNoise<F extends Feeds>(
  session: Pick<Session, 'run'>,
  dataset: Dataset<F>,
): Promise<Dataset<F>> {
  if (dataset.next === undefined) return dataset;
  let first: unknown;
  let make: Dataset<F>['next'] = () => dataset;
  while (make !== undefined) {
    const makeThis: () => Dataset<F> = make;
    make = undefined;
    try {
      const tried = makeThis();
      make = tried.next;
      await session.run((await firstFeed(tried.feeds)) ?? {});
      return tried;
    } catch (error) {
      // `bad-data`: noise of these sizes is too large.
      if (!(error instanceof OnnxMishError && ['run-failed', 'bad-data'].includes(error.code))) throw error;
      first ??= error;
    }
  }
  throw first;
}
