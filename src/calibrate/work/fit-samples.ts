import { type Dataset, type Feeds, firstFeed } from '../../data/dataset.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import type { OnProvider, SessionOptions } from '../../providers/provider.js';
import { fitRuns } from './fit-runs.js';
import { measureRunCosts, type RunCosts, scaledCosts, withMoreWork } from './run-costs.js';
import { measureSlowness } from './slowness.js';
import { firstWindow, imagesOfWindow, type Windows } from './windows.js';

export interface FitOptions extends OnProvider {
  /** Whether runs are timed, which may give other samples when the machine is busy. */
  readonly isTimed: boolean;
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Splits the runs of a data set to fit the memory, and returns the costs of its samples, measured on a window if there are windows.
 * Samples count as more work where timed runs take longer than their work says. Throws what the provider throws, and `aborted`.
 */
export async function fitSamples(
  model: LoadedModel,
  given: Dataset<Feeds>,
  windows: Windows | undefined,
  options: FitOptions,
): Promise<{ readonly dataset: Dataset<Feeds>; readonly costs: RunCosts }> {
  const feeds = windows === undefined ? given.feeds : await firstWindow(given.feeds, windows);
  const share = windows === undefined ? 1 : imagesOfWindow(windows);
  const measured = await measureRunCosts(model, feeds, options);
  const { dataset, costs } = fitRuns(given, scaledCosts(measured, 1 / share));
  if (!options.isTimed) return { dataset, costs };
  const [window] = windows === undefined ? [] : await firstWindow(dataset.feeds, windows);
  const feed = async () => window ?? (await firstFeed(dataset.feeds)) ?? {}; // images are decoded anew for each run
  const slowness = await measureSlowness(model, feed, share * costs.batch * costs.work, options);
  return { dataset, costs: withMoreWork(costs, slowness) };
}
