import { sampleDoubt } from '../data/sample-doubt.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { OnProvider } from '../providers/provider.js';
import { feedsOf, withModelSession } from './feeds.js';
import type { FinetuneOptions, LabelledData } from './options.js';
import type { LabelledPart } from './split-data.js';

/** Number of samples to look at. */
const MAX_SAMPLES = 64;

/** Returns a function that calls `onDoubt` for a pattern of `freeze` that matches no weight. */
export const tellUnmatched =
  ({ onDoubt }: Pick<FinetuneOptions, 'onDoubt'>) =>
  (pattern: string): void =>
    onDoubt?.({ text: `no weight that could be trained matches '${pattern}'`, option: { freeze: null } });

/** Calls `onDoubt` if the training samples do not look like those that the original was trained on. */
export async function tellDoubt(
  original: LoadedModel,
  part: LabelledPart,
  source: LabelledData['source'],
  options: Pick<FinetuneOptions, 'onDoubt' | 'session'> & OnProvider,
): Promise<void> {
  const { onDoubt } = options;
  if (onDoubt === undefined) return;
  const feeds = feedsOf(part, original, MAX_SAMPLES);
  const doubt = await withModelSession(original, options, (session) =>
    sampleDoubt(original, { feeds, source }, options, session),
  );
  if (doubt !== undefined) onDoubt(doubt);
}
