import { OnnxMishError } from '../base/error.js';
import type { Advice } from '../base/option-hint.js';
import { ownProperty } from '../base/own.js';
import { withExposed } from '../providers/exposed-model.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { OnProvider, Session, SessionOptions } from '../providers/provider.js';
import type { Tensors } from '../providers/tensor.js';
import { stoppable, withSession } from '../providers/with-session.js';
import { coupledDoubt } from './coupled-doubt.js';
import type { Dataset, Feeds } from './dataset.js';
import { nanDoubt } from './nan-doubt.js';
import { variationDoubt } from './random-doubt.js';
import { firstPixels, type NormInput, scaleDoubt } from './scale-doubt.js';
import { firstNorm } from './stored-norm.js';
import { middleParts } from './windows.js';

/** Maximum height and width of an image. Of a larger image the model gets the middle. */
const MAX_SIDE = 512;

/**
 * Returns advice if a sample's outputs vary between runs, see `variationDoubt`, if samples make its outputs NaN, see `nanDoubt`, if
 * the axis along which arrays were cut may not count samples, see `coupledDoubt`, or if they look like pixels in another range than
 * the model was trained on, see `scaleDoubt`. Runs the model in the given session or, for pixels and a model with a batch
 * normalisation, in another one. Throws what the provider throws, and `aborted` at a run.
 */
export async function sampleDoubt(
  model: LoadedModel,
  { feeds, source }: Pick<Dataset<Feeds>, 'feeds' | 'source'>,
  options: DoubtRun,
  opened: Session,
): Promise<Advice | undefined> {
  const open = stoppable(opened, options.signal);
  const variation = await variationDoubt(model.document);
  if (variation !== undefined || source === 'seed') return variation;
  const outputs = open.outputs.map(({ name }) => name);
  const nan = source === 'images' ? undefined : await nanDoubt(feeds, (feed) => open.run(feed), outputs);
  if (nan !== undefined) return nan;
  const doubtOf = (some: Feeds) => doubtByRuns(model, { feeds: some, source }, options, open);
  // A model may need images, or rows, of another size than the file says.
  return unlessFailed(
    () => doubtOf(middleParts(feeds, model.document.graph.inputs, MAX_SIDE)),
    () => doubtOf(feeds),
  );
}

type DoubtRun = OnProvider & {
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** Returns the advice of `coupledDoubt` or `scaleDoubt`, for which the model runs on the samples. */
async function doubtByRuns(
  model: LoadedModel,
  { feeds, source }: Pick<Dataset<Feeds>, 'feeds' | 'source'>,
  options: DoubtRun,
  open: Session,
): Promise<Advice | undefined> {
  const outputs = open.outputs.map(({ name }) => name);
  const coupled =
    source === 'npz' ? await coupledDoubt(feeds, (feed) => open.run(feed), open.inputs, outputs) : undefined;
  if (coupled !== undefined) return coupled;
  if ((await firstPixels(feeds)) === undefined) return undefined;
  const plain = () => scaleDoubt(feeds, (feed) => open.run(feed), { source, outputs });
  const norm = await firstNorm(model);
  if (norm === undefined) return plain();
  const { input, variance, isFed } = norm;
  const ask = (run: (feed: Tensors) => Promise<Tensors>, tensor: NormInput['tensor']) =>
    scaleDoubt(feeds, run, { source, outputs, norm: { variance, tensor } });
  if (isFed) return ask((feed) => open.run(feed), (feed) => ownProperty(feed, input)); // biome-ignore format: one call
  // The copy that outputs the normalisation's input may not run.
  return unlessFailed(
    () =>
      withExposed(model, [input], undefined, ({ file, get }) =>
        withSession(file, options, (session) =>
          ask(
            (feed) => session.run(feed),
            (_, results) => get(results, input),
          ),
        ),
      ),
    plain,
  );
}

/** Returns what `first` returns or, if a run of it fails or a copy of the model cannot be written, what `second` returns. */
async function unlessFailed<T>(first: () => Promise<T>, second: () => Promise<T>): Promise<T> {
  try {
    return await first();
  } catch (error) {
    if (!(error instanceof OnnxMishError && ['run-failed', 'io'].includes(error.code))) throw error;
    return second();
  }
}
