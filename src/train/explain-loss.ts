// Explains why the loss of a step is NaN or infinite.
import { OnnxMishError } from '../base/error.js';
import { type Node, nodeLabel } from '../onnx/document.js';
import { splice } from '../onnx/splice.js';
import { withExposed } from '../providers/exposed-model.js';
import type { EditableModel } from '../providers/loaded-model.js';
import { type Tensor, type Tensors, toNumbers } from '../providers/tensor.js';
import { withSession } from '../providers/with-session.js';
import type { RunOptions } from './batch-of-copy.js';
import { stateEdits } from './state-edits.js';
import type { FailedStep } from './stepper.js';
import type { TrainingStep } from './training-step.js';

const LOWER_RATE = 'Lower the learning rate, or limit the norm of the gradients';

/**
 * Returns a function that explains a loss that is not finite: `bad-data` names the input or sample, `run-failed` the weight or the
 * first node whose output is not finite. It runs the failed batch once with every tensor exposed. `model` is the copy that
 * `step` was made from.
 */
export function lossExplainer(model: EditableModel, step: TrainingStep, options: RunOptions) {
  return async (failed: FailedStep): Promise<OnnxMishError> => {
    const { what, feeds, targets, state } = failed;
    const bad = badSample(feeds, targets, step);
    if (bad !== undefined)
      return new OnnxMishError('bad-data', `${what}: ${bad}`, {
        fix: 'Remove the sample, or repair its data',
      });
    for (const { input, weight } of step.state) {
      const value = state.get(input)?.find((one) => !Number.isFinite(one));
      if (value === undefined) continue;
      const name = weight === undefined ? `the optimiser's state '${input}'` : `the weight '${input}'`;
      const reader = weight && model.document.graph.nodes.find(({ inputs }) => inputs.includes(input));
      return new OnnxMishError('run-failed', `${what}: ${name} has the value ${value}`, {
        where: reader && placeOf(reader),
        fix: LOWER_RATE,
      });
    }
    const node = await firstNonFinite(model, step, failed, options);
    if (node === undefined)
      return new OnnxMishError('run-failed', `${what}, although all tensors of the model are finite`, {
        fix: LOWER_RATE,
      });
    return new OnnxMishError('run-failed', `${what}: the output '${node.outputs[0]}' is not finite`, {
      where: placeOf(node),
      fix: `${LOWER_RATE}, or check the node's inputs for values outside its domain`,
    });
  };
}

const placeOf = (node: Node) => `${node.opType} '${nodeLabel(node)}'`;

/** Describes the first input or target that is not finite. */
function badSample(feeds: Tensors, targets: Float32Array, step: TrainingStep): string | undefined {
  const all: [string, Tensor][] = Object.entries(feeds).map(([name, tensor]) => [
    `the input '${name}'`,
    tensor,
  ]);
  all.push(['the target', { elemType: 'f32', dims: step.targets.dims, data: targets }]);
  for (const [label, tensor] of all) {
    const at = nonFiniteAt(tensor);
    if (at === undefined) continue;
    const sample = Math.floor(at / Math.max(1, tensor.data.length / (tensor.dims[0] ?? 1)));
    return `${label} has the value ${tensor.data[at]} in sample ${sample} of the batch`;
  }
  return undefined;
}

/** Returns the index of the first element that is NaN or infinite. */
function nonFiniteAt(tensor: Tensor | undefined): number | undefined {
  const values = tensor && toNumbers(tensor);
  if (values === undefined) return undefined;
  for (let at = 0; at < values.length; at++) if (!Number.isFinite(values[at])) return at;
  return undefined;
}

/** Finds the first node that computes a value that is not finite from finite inputs, or else the first with such an output. */
async function firstNonFinite(
  model: EditableModel,
  step: TrainingStep,
  { feeds, state }: FailedStep,
  options: RunOptions,
): Promise<Node | undefined> {
  const { document } = model;
  const edits = await stateEdits(document, step.state, state);
  const moved = await model.edited(splice(document.source, edits));
  const { nodes, initializers } = moved.document.graph;
  const names = nodes.flatMap(({ outputs }) => outputs.filter((name) => name !== ''));
  return withExposed(moved, names, false, ({ file, get }) =>
    withSession(file, options, async (session) => {
      const tensors = await session.run(feeds);
      const bad = new Set(names.filter((name) => nonFiniteAt(get(tensors, name)) !== undefined));
      for (const { name, minusInfinity } of initializers.values()) if (minusInfinity) bad.add(name);
      // A constant such as a mask may well be infinite.
      const candidates = nodes.filter(
        ({ opType, outputs }) => !opType.startsWith('Constant') && outputs.some((name) => bad.has(name)),
      );
      return candidates.find(({ inputs }) => !inputs.some((name) => bad.has(name))) ?? candidates[0];
    }),
  );
}
