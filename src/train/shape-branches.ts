// If nodes whose condition follows from shapes: exporters write one for a squeeze of an axis whose size they do not know.
import { inlineBranches } from '../onnx/model-passes/inline-branches.js';
import { decodeModel, isOperator } from '../onnx/model-passes/model-proto.js';
import type { EditableModel } from '../providers/loaded-model.js';
import type { Tensors } from '../providers/tensor.js';
import type { RunOptions } from './batch-of-copy.js';
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
 * Replaces the If nodes whose condition follows from shapes by the branch that runs for feeds of these shapes. `original` is the model
 * that the copy was made from.
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
  const branches = inlineBranches(proto, known);
  if (branches.length === 0) return none;
  const outputs = listNames(branches.map(({ output }) => output));
  return {
    model: await rebuilt(model, proto),
    remarks: [
      {
        code: 'branches-inlined',
        text: `If nodes whose condition follows from the shapes were replaced by their branch: ${outputs}`,
      },
    ],
    origins: addBranchOrigins(new Map(), original.document, branches),
  };
}
