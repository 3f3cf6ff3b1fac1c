// Models that end in probabilities without a Softmax: scikit-learn's binary classifiers, and those whose Softmax is written out.
import { ownProperty } from '../base/own.js';
import { type ScoreLayout, scoreLayout } from '../metrics/score-layout.js';
import { floatTensor } from '../onnx/model-passes/float-tensor.js';
import { decodeModel } from '../onnx/model-passes/model-proto.js';
import type { EditableModel } from '../providers/loaded-model.js';
import { type Tensors, toNumbers } from '../providers/tensor.js';
import { withModelSession } from '../providers/with-session.js';
import type { RunOptions } from './batch-of-copy.js';
import { areProbabilities } from './targets.js';
import { rebuilt } from './training-copy.js';
import { TRAIN_PREFIX } from './training-graph.js';

const LEAST = `${TRAIN_PREFIX}probability/least`;
const BOUNDED = `${TRAIN_PREFIX}probability/bounded`;
const LOGARITHMS = `${TRAIN_PREFIX}probability/logarithms`;
/** Least probability that has a logarithm of its own; float32 holds its reciprocal, too. */
const LEAST_PROBABILITY = 1e-30;

/**
 * Returns a copy with the logarithms of an output as one more output, and its name, if a run gives probabilities: the cross-entropy of
 * logarithms is that of the probabilities. Undefined for any other output. Throws what the provider throws.
 */
export async function withLogProbabilities(
  model: EditableModel,
  output: string,
  feeds: Tensors,
  options: RunOptions,
): Promise<{ readonly model: EditableModel; readonly output: string } | undefined> {
  const tensor = ownProperty(await withModelSession(model, options, (session) => session.run(feeds)), output);
  const numbers = tensor && toNumbers(tensor);
  const [, ...inner] = tensor?.dims ?? [];
  if (numbers === undefined || inner.length === 0) return undefined;
  const layouts = [1, inner.length].map((axis) => scoreLayout(inner, { axis }));
  if (!layouts.some((layout) => giveProbabilities(numbers, layout))) return undefined;
  const proto = await decodeModel(model.document);
  const declared = proto.graph?.output?.find(({ name }) => name === output);
  if (proto.graph == null || declared === undefined) return undefined;
  const { graph } = proto;
  const least = { ...floatTensor([LEAST_PROBABILITY], 'f32', [1]), name: LEAST };
  graph.initializer = [...(graph.initializer ?? []), least];
  graph.node = [
    ...(graph.node ?? []),
    { opType: 'Max', input: [output, LEAST], output: [BOUNDED] },
    { opType: 'Log', input: [BOUNDED], output: [LOGARITHMS] },
  ];
  graph.output = [...(graph.output ?? []), { ...declared, name: LOGARITHMS }];
  return { model: await rebuilt(model, proto), output: LOGARITHMS };
}

/** Returns whether the scores of each place are probabilities of several classes. */
export function giveProbabilities(scores: ArrayLike<number>, layout: ScoreLayout): boolean {
  if (layout.classes < 2 || scores.length === 0) return false;
  for (let at = 0; at < scores.length; at++) if (!((scores[at] ?? -1) >= 0)) return false;
  return areProbabilities(scores, layout);
}
