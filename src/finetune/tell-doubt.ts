import { sampleDoubt } from '../data/sample-doubt.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { OnProvider } from '../providers/provider.js';
import { withModelSession } from '../providers/with-session.js';
import { feedsOf } from './feeds.js';
import type { FinetuneOptions, LabelledData } from './options.js';
import type { LabelledPart } from './split-data.js';

/** Number of samples to look at. */
const MAX_SAMPLES = 64;

/** Calls `onDoubt` if the training samples do not look like those that the original was trained on. */
export async function tellDoubt(
  original: LoadedModel,
  part: LabelledPart,
  source: LabelledData['source'],
  options: Pick<FinetuneOptions, 'onDoubt' | 'session' | 'signal'> & OnProvider,
): Promise<void> {
  const { onDoubt } = options;
  if (onDoubt === undefined) return;
  const feeds = feedsOf(part, original, MAX_SAMPLES);
  await withModelSession(original, options, async (session) => {
    const doubt = await sampleDoubt(original, { feeds, source }, options, session);
    if (doubt !== undefined) onDoubt(doubt);
  });
}
