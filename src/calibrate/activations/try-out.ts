import { stopIfAborted } from '../../base/abort.js';
import { OnnxMishError } from '../../base/error.js';
import { type Dataset, type Feeds, firstFeed } from '../../data/dataset.js';
import type { DataMaker } from '../../data/in-batches.js';
import { runnableNoise } from '../../data/runnable-noise.js';
import type { LoadedModel } from '../../providers/loaded-model.js';
import type { OnProvider, SessionOptions } from '../../providers/provider.js';
import { dimsOf } from '../../providers/tensor.js';
import { withSession } from '../../providers/with-session.js';

interface TryOutOptions extends OnProvider {
  readonly data: DataMaker;
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes the data set of a measurement and runs the unchanged model on its first feed, so that errors of the model or the data are not
 * blamed on a site. Returns the data set, and the dimensions of that feed by input. Throws `bad-data` without feeds, `run-failed`,
 * `aborted`.
 */
export async function tryOut(
  { file }: LoadedModel,
  options: TryOutOptions,
): Promise<{ dataset: Dataset<Feeds>; shapes: Record<string, readonly number[]> }> {
  stopIfAborted(options.signal);
  return withSession(file, options, async (opened) => {
    const dataset = await runnableNoise(opened, options.data(opened.inputs, opened.outputs));
    const feed = await firstFeed(dataset.feeds);
    if (feed === undefined) throw new OnnxMishError('bad-data', 'the data set has no feeds for the model');
    await opened.run(feed);
    return { dataset, shapes: dimsOf(feed) };
  });
}
