// Doubts about samples, in the words of the page.
import { capitalised } from '../../../base/in-words.js';
import type { Advice } from '../../../base/option-hint.js';
import type { Dataset, Feeds } from '../../../data/dataset.js';
import { readFactor } from '../../../data/factor.js';
import { sampleDoubt } from '../../../data/sample-doubt.js';
import type { LoadedModel } from '../../../providers/loaded-model.js';
import type { Provider, Session } from '../../../providers/provider.js';
import type { Doubt, DoubtEvent, InputChoice } from '../protocol.js';
import type { LabelledInput } from '../room-protocol.js';

/** Returns a doubt with the fields of the page that would mend the samples. */
export function doubtFor({ text, option }: Advice, input: InputChoice | LabelledInput): Doubt {
  const what = `${capitalised(text)}.`;
  if (input.kind === 'images') {
    // The page's pixels are from 0 to 1, and a deviation of 1 leaves them there.
    const std = option?.std ?? (option?.scale === undefined ? undefined : 1);
    return { what, remedy: std === undefined ? null : { std: `${std}, ${std}, ${std}` } };
  }
  if (input.kind !== 'npz' || option?.scale === undefined) return { what, remedy: null };
  const advised = String(option.scale);
  const { scale = 1 } = input;
  const factor = (readFactor(advised) ?? 1) * scale;
  return { what, remedy: { scale: scale === 1 ? advised : String(Number(factor.toPrecision(6))) } };
}

/** Sends the doubt about samples, if there is one, before a work on them. `session` is one of the model. */
export async function sendDoubt(
  model: LoadedModel,
  dataset: Pick<Dataset<Feeds>, 'feeds' | 'source'>,
  job: { readonly provider: Provider; readonly session: Session; readonly input: InputChoice },
  onEvent: (event: DoubtEvent) => void,
): Promise<void> {
  const { provider, session, input } = job;
  const advice = await sampleDoubt(model, dataset, { provider }, session);
  if (advice !== undefined) onEvent({ kind: 'doubt', doubt: doubtFor(advice, input) });
}
