import { type Feeds, firstFeed } from '../../data/dataset.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import type { OnProvider, SessionOptions } from '../../providers/provider.js';
import { type Tensors, toNumbers } from '../../providers/tensor.js';
import { withModelSession } from '../../providers/with-session.js';

export interface SameOutputsOptions extends OnProvider {
  /** Samples to compare the models on. */
  readonly feeds: Feeds;
  readonly session?: SessionOptions | undefined;
}

/** Largest difference of outputs, as a share of their largest element, that rounding explains. */
const MAX_ROUNDING_SHARE = 1e-3;

/** Returns whether two models give the same on the first feed, but for rounding. */
export async function computesSame(
  model: EditableModel,
  edited: EditableModel,
  options: SameOutputsOptions,
): Promise<boolean> {
  const feed = await firstFeed(options.feeds);
  if (feed === undefined) return false;
  const run = (one: EditableModel): Promise<Tensors> =>
    withModelSession(one, options, (session) => session.run(feed));
  const [wanted, got] = [await run(model), await run(edited)];
  return Object.entries(wanted).every(([name, tensor]) => {
    const [before, after] = [toNumbers(tensor) ?? [], (got[name] && toNumbers(got[name])) ?? []];
    let [largest, difference] = [0, 0];
    for (let at = 0; at < before.length; at++) {
      const value = before[at] as number;
      if (!Number.isFinite(value)) continue;
      largest = Math.max(largest, Math.abs(value));
      difference = Math.max(difference, Math.abs(value - (after[at] ?? Number.NaN)));
    }
    return difference <= MAX_ROUNDING_SHARE * largest;
  });
}
