// Puts nodes of training mode into inference mode.
import { attributeOf, graphsOf, isOperator, type ModelProto, type NodeProto } from './model-proto.js';

/** Opset from which Dropout's training mode is an input, and below which it is an attribute. */
const [INPUT, ATTRIBUTE] = [12, 7];

/**
 * Rewrites Dropout and BatchNormalization nodes in training mode as those of inference, in the main graph. Returns the rewritten nodes'
 * first outputs, by operator. Nodes whose further outputs are read stay.
 */
export function toInferenceMode(model: ModelProto, opset: number): ReadonlyMap<string, readonly string[]> {
  const changed = new Map<string, string[]>();
  const read = new Set<string>();
  for (const { node, output } of graphsOf(model)) {
    for (const one of node ?? []) for (const name of one.input ?? []) read.add(name);
    for (const { name } of output ?? []) read.add(name ?? '');
  }
  for (const node of model.graph?.node ?? []) {
    if (!isTraining(node, opset)) continue;
    const [first = '', ...further] = node.output ?? [];
    if (further.some((name) => name !== '' && read.has(name))) continue;
    node.output = [first];
    if (isOperator(node, 'Dropout')) {
      node.opType = 'Identity';
      node.input = (node.input ?? []).slice(0, 1);
      node.attribute = [];
    } else {
      node.attribute = (node.attribute ?? []).filter(({ name }) => name !== 'training_mode');
    }
    const kind = isOperator(node, 'Identity') ? 'Dropout' : 'BatchNormalization';
    changed.set(kind, [...(changed.get(kind) ?? []), first]);
  }
  return changed;
}

function isTraining(node: NodeProto, opset: number): boolean {
  if (isOperator(node, 'BatchNormalization')) return (attributeOf(node, 'training_mode')?.i ?? 0) !== 0;
  if (!isOperator(node, 'Dropout')) return false;
  if (opset >= INPUT) return (node.input?.[2] ?? '') !== '';
  return opset < ATTRIBUTE && (attributeOf(node, 'is_test')?.i ?? 0) === 0;
}
