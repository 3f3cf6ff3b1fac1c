// Replaces If nodes. Exporters write one with a condition on shapes for a squeeze of an axis of unknown size.
import { type InlinedBranch, inlineBranches } from '../onnx/model-passes/inline-branches.js';
import { decodeModel, isOperator, type ModelProto } from '../onnx/model-passes/model-proto.js';
import type { EditableModel } from '../providers/loaded-model.js';
import type { Tensors } from '../providers/tensor.js';
import { withModelSession } from '../providers/with-session.js';
import { isEqualOutput, type RunOptions } from './batch-of-copy.js';
import { probeWithSession } from './probe.js';
import { addBranchOrigins, type ConstantOrigin, rebuilt } from './training-copy.js';
import { listNames, type TrainingRemark } from './training-remark.js';

/** A copy without some If nodes, and what is said about it. */
export interface ShapedCopy {
  readonly model: EditableModel;
  readonly remarks: readonly TrainingRemark[];
  readonly origins: ReadonlyMap<string, ConstantOrigin>;
}

/**
 * Replaces the If nodes whose condition follows from shapes by the branch that runs for feeds of these shapes, and others by both
 * branches and a Where if a run confirms equal outputs. `original` is the model that the copy was made from.
 */
export async function withShapeBranches(
  model: EditableModel,
  original: EditableModel,
  feeds: Tensors,
  options: RunOptions,
): Promise<ShapedCopy> {
  const { document } = model;
  const none = { model, remarks: [], origins: new Map<string, ConstantOrigin>() };
  if (!document.graph.nodes.some(({ domain, opType }) => domain === '' && opType === 'If')) return none;
  const probe = await probeWithSession(model, feeds, options);
  const proto = await decodeModel(document);
  const known = new Map<string, boolean>();
  for (const node of proto.graph?.node ?? []) {
    const [condition = ''] = node.input ?? [];
    const value = isOperator(node, 'If') ? probe.constant(condition)?.[0] : undefined;
    if (value !== undefined) known.set(condition, value !== 0);
  }
  const branches = inlineBranches(proto, { known });
  const shaped = branches.length === 0 ? none : await copyOf(model, original, proto, branches, BY_SHAPES);
  const chosen = inlineBranches(proto, { both: true });
  if (chosen.length === 0) return shaped;
  const whole = await copyOf(model, original, proto, chosen, BY_DATA);
  if (!(await haveEqualOutputs(model, whole.model, feeds, options))) return shaped;
  return {
    model: whole.model,
    remarks: [...shaped.remarks, ...whole.remarks],
    origins: new Map([...shaped.origins, ...whole.origins]),
  };
}

const BY_SHAPES = 'If nodes whose condition follows from the shapes were replaced by their branch';
const BY_DATA =
  'If nodes whose condition depends on the data compute both branches, of which a Where takes one';

async function copyOf(
  model: EditableModel,
  original: EditableModel,
  proto: ModelProto,
  branches: readonly InlinedBranch[],
  what: string,
): Promise<ShapedCopy> {
  const outputs = listNames([...new Set(branches.map(({ output }) => output))]);
  return {
    model: await rebuilt(model, proto),
    remarks: [{ code: 'branches-inlined', text: `${what}: ${outputs}` }],
    origins: addBranchOrigins(new Map(), original.document, branches),
  };
}

/** Returns whether two models give the same outputs; false if the second fails, as where its branches have other shapes. */
async function haveEqualOutputs(
  model: EditableModel,
  copy: EditableModel,
  feeds: Tensors,
  options: RunOptions,
): Promise<boolean> {
  const run = (one: EditableModel) => withModelSession(one, options, (session) => session.run(feeds));
  const [expected, found] = [await run(model), await run(copy).catch(() => undefined)];
  if (found === undefined) return false;
  return Object.entries(expected).every(([name, tensor]) => isEqualOutput(tensor, found[name]));
}
