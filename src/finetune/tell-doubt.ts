import { describeCoupling, findCoupling } from '../data/coupled-doubt.js';
import { batchDoubt } from '../data/random-doubt.js';
import { sampleDoubt } from '../data/sample-doubt.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { OnProvider } from '../providers/provider.js';
import { withModelSession } from '../providers/with-session.js';
import { feedsOf } from './feeds.js';
import type { FinetuneOptions, LabelledData } from './options.js';
import type { LabelledPart } from './split-data.js';

/** Number of samples to look at. */
const MAX_SAMPLES = 64;

/** Returns a function that calls `onDoubt` for a pattern of `freeze` that matches no weight. */
export const tellUnmatched =
  ({ onDoubt }: Pick<FinetuneOptions, 'onDoubt'>) =>
  (pattern: string): void =>
    onDoubt?.({ text: `no weight that could be trained matches '${pattern}'`, option: { freeze: null } });

/**
 * Calls `onDoubt` if the training samples do not look like those that the original was trained on, or if the original does not take
 * them one by one.
 */
export async function tellDoubt(
  original: LoadedModel,
  part: LabelledPart,
  source: LabelledData['source'],
  options: Pick<FinetuneOptions, 'onDoubt' | 'session'> & OnProvider,
): Promise<void> {
  const { onDoubt } = options;
  if (onDoubt === undefined) return;
  const feeds = feedsOf(part, original, MAX_SAMPLES);
  await withModelSession(original, options, async (session) => {
    const doubt = await sampleDoubt(original, { feeds, source }, options, session);
    if (doubt !== undefined) onDoubt(doubt);
    if (batchDoubt(original.document) !== undefined) return;
    const outputs = session.outputs.map(({ name }) => name);
    const single = feedsOf(part, original, 2, 1);
    const coupling = await findCoupling(single, (feed) => session.run(feed), session.inputs, outputs);
    if (coupling === undefined) return;
    const text = describeCoupling(coupling, 'the original');
    onDoubt({ text: `${text}. Export the model so that it does (batch_first=True in PyTorch)` });
  });
}
