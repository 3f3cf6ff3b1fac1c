import { attribute, type Node, opsetOf, type Scope, tensorOfConstant } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';

// Operators that preserve a tensor's scale, f(sx) = s f(x) for s > 0, and operators whose weights can absorb the scale.
// Only operators known to do so are listed; any other operator ends the search.

/** Operators that are positively homogeneous in their first input, for all other inputs and attributes. */
const HOMOGENEOUS: ReadonlySet<string> = new Set([
  ...['Identity', 'Flatten', 'Reshape', 'Transpose', 'Squeeze', 'Unsqueeze', 'Expand', 'Tile', 'Slice'],
  ...['MaxPool', 'AveragePool', 'GlobalMaxPool', 'GlobalAveragePool', 'DepthToSpace', 'SpaceToDepth'],
  ...['ReduceMean', 'ReduceSum', 'ReduceMax', 'ReduceMin', 'Relu', 'LeakyRelu', 'PRelu', 'Upsample'],
]);

/** Returns whether a node of ONNX's default domain preserves the scale of its first input in its only output. */
export function isHomogeneous(node: Node, scope: Scope, index: GraphIndex): boolean {
  const { opType, domain, inputs, outputs } = node;
  if (domain !== '' || outputs.length !== 1 || inputs[0] === undefined) return false;
  if (HOMOGENEOUS.has(opType)) return true;
  switch (opType) {
    case 'Dropout': {
      // Dropout trains by default before opset 7, and its third input may enable training from opset 12.
      return opsetOf(scope) >= 7 && (inputs[2] ?? '') === '';
    }
    case 'Pad': {
      const mode = attribute(node, 'mode')?.s ?? 'constant';
      return mode === 'reflect' || mode === 'edge' || (mode === 'constant' && padsZero(node, scope, index));
    }
    case 'Resize':
      return attribute(node, 'coordinate_transformation_mode')?.s !== 'tf_crop_and_resize';
    default:
      return false;
  }
}

/** Returns whether a Pad fills with 0. The fill value is an attribute up to opset 10, then an input. */
function padsZero(node: Node, scope: Scope, index: GraphIndex): boolean {
  if ((attribute(node, 'value')?.f ?? 0) !== 0) return false;
  const name = node.inputs[2] ?? '';
  if (name === '') return true;
  if (index.isInput(scope, name)) return false;
  return (scope.initializers.get(name) ?? tensorOfConstant(index.producer(scope, name)))?.scalar === 0;
}

/** Returns whether a node reads a tensor's shape and not its values. */
export function readsShape({ opType, domain }: Node): boolean {
  return domain === '' && (opType === 'Shape' || opType === 'Size');
}

const JOINT: ReadonlySet<string> = new Set(['Add', 'Sub', 'Max', 'Min']);

/** Returns whether a node is positively homogeneous in both inputs together: a constant input can be scaled with the other. */
export function isJointlyHomogeneous({ opType, domain, inputs, outputs }: Node): boolean {
  return domain === '' && JOINT.has(opType) && inputs.length === 2 && outputs.length === 1;
}

/** Slots of the weights that absorb a scale: `up` takes the scale, `down` its reciprocal. */
export interface Slots {
  readonly up: readonly number[];
  readonly down: readonly number[];
}

const up = (...slots: number[]): Slots => ({ up: slots, down: [] });
const down = (...slots: number[]): Slots => ({ up: [], down: slots });

/** Returns the alternatives for scaling a linear node's output; the first with constant weights is used. Empty for other nodes. */
export function slotsBefore(node: Node, scope: Scope): readonly Slots[] {
  if (node.domain !== '') return [];
  switch (node.opType) {
    case 'Conv':
    case 'ConvTranspose':
      return [up(1, 2)];
    case 'Gemm':
      return [up(1, 2), up(0, 2)];
    case 'MatMul':
    case 'Mul':
      return [up(1), up(0)];
    case 'BatchNormalization':
      return isInference(node, scope) ? [up(1, 2)] : [];
    default:
      return [];
  }
}

/** Returns the weights that undo the scale of a linear node's input; undefined for other nodes. */
export function slotsAfter(node: Node, slot: number, scope: Scope): Slots | undefined {
  if (node.domain !== '') return undefined;
  switch (node.opType) {
    case 'Conv':
    case 'ConvTranspose':
      return slot === 0 ? down(1) : undefined;
    case 'Gemm':
      return slot < 2 ? down(1 - slot) : undefined;
    case 'MatMul':
    case 'Mul':
      return down(1 - slot);
    case 'BatchNormalization':
      // s (x - m) / d + b: when x and m are scaled, s is divided.
      return slot === 0 && isInference(node, scope) ? { up: [3], down: [1] } : undefined;
    default:
      return undefined;
  }
}

/** Returns whether a BatchNormalization is in inference mode. Before opset 7 it trains by default; before 14, further outputs mean training. */
function isInference(node: Node, scope: Scope): boolean {
  const training = attribute(node, 'training_mode')?.i ?? 0;
  return opsetOf(scope) >= 7 && node.outputs.length === 1 && training === 0;
}
