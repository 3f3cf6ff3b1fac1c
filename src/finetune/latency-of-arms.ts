// The time of a run with the swapped activation, over that of the control.
import { firstFeed } from '../data/dataset.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import { withModelSession } from '../providers/with-session.js';
import { measureLatency, takingTurns } from '../validate/latency.js';
import type { ArmOptions } from './arm.js';
import { feedsOf } from './feeds.js';
import { LATENCY_LIMITS, MAX_UNIT_SAMPLES } from './limits.js';
import type { Prepared } from './prepare.js';
import type { FinetuneReport } from './report-schema.js';

/**
 * Returns the times of a run of the swapped model, and of the same in the exp form if there is one, over the control's. The models
 * of a pair take turns. Returns null if the test part is smaller than a run.
 */
export async function latencyOf(
  control: LoadedModel,
  [swapped, inExp]: readonly [LoadedModel, LoadedModel | undefined],
  { parts }: Prepared,
  options: ArmOptions,
): Promise<FinetuneReport['latency']> {
  const feed = await firstFeed(feedsOf(parts.test, control, MAX_UNIT_SAMPLES));
  if (feed === undefined) return null;
  const inTurns = { ...options, session: takingTurns(options.session) };
  const ratioOf = async (model: LoadedModel) => {
    const { ratio } = await withModelSession(control, inTurns, (first) =>
      withModelSession(model, inTurns, (second) =>
        measureLatency(first, second, [feed, feed], { ...LATENCY_LIMITS, signal: options.signal }),
      ),
    );
    return { ratio: ratio.value, low: ratio.low, high: ratio.high };
  };
  return { ...(await ratioOf(swapped)), exp: inExp === undefined ? null : await ratioOf(inExp) };
}
