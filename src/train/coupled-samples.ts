import { describeCoupling, findCoupling } from '../data/coupled-doubt.js';
import { sliceRun } from '../data/split-runs.js';
import type { EditableModel } from '../providers/loaded-model.js';
import type { Tensors } from '../providers/tensor.js';
import { withModelSession } from '../providers/with-session.js';
import { fixedBatch, type RunOptions } from './batch-of-copy.js';
import type { TrainingRemark } from './training-remark.js';

/** Describes a model whose first axis may not count samples, from two of the samples in `feeds`. Throws `run-failed`. */
export async function coupledSamples(
  model: EditableModel,
  feeds: Tensors,
  output: string,
  options: RunOptions,
): Promise<TrainingRemark[]> {
  if (fixedBatch(model.document) !== undefined) return [];
  const single = [sliceRun(feeds, 0, 1), sliceRun(feeds, 1, 2)];
  return withModelSession(model, options, async (session) => {
    const coupling = await findCoupling(single, (feed) => session.run(feed), session.inputs, [output]);
    if (coupling === undefined) return [];
    const text = `${describeCoupling(coupling, 'The model')}; export it so that it does (batch_first=True in PyTorch)`;
    return [{ code: 'coupled-samples', text }];
  });
}
