import { attribute, type Node, opsetOf, type Scope } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';

// What becomes of a tensor's scale: which operators hand it on, f(sx) = s f(x) for s > 0, and which have weights that can
// take it up. Only what is certain is listed; whatever is not here stops it.

/** Positively homogeneous in their first input, whatever the others and the attributes are. */
const HOMOGENEOUS: ReadonlySet<string> = new Set([
  ...['Identity', 'Flatten', 'Reshape', 'Transpose', 'Squeeze', 'Unsqueeze', 'Expand', 'Tile', 'Slice'],
  ...['MaxPool', 'AveragePool', 'GlobalMaxPool', 'GlobalAveragePool', 'DepthToSpace', 'SpaceToDepth'],
  ...['ReduceMean', 'ReduceSum', 'ReduceMax', 'ReduceMin', 'Relu', 'LeakyRelu', 'PRelu', 'Upsample'],
]);

/** Whether a node of ONNX's own hands the scale of its first input on to its one output. */
export function isHomogeneous(node: Node, scope: Scope, index: GraphIndex): boolean {
  const { opType, domain, inputs, outputs } = node;
  if (domain !== '' || outputs.length !== 1 || inputs[0] === undefined) return false;
  if (HOMOGENEOUS.has(opType)) return true;
  switch (opType) {
    case 'Dropout': {
      // Before opset 7 it was in training unless told otherwise, from 12 on its third input may tell it to be.
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

/** The value to pad with is an attribute up to opset 10, and an input from 11 on. */
function padsZero(node: Node, scope: Scope, index: GraphIndex): boolean {
  if ((attribute(node, 'value')?.f ?? 0) !== 0) return false;
  const name = node.inputs[2] ?? '';
  if (name === '') return true;
  if (index.isInput(scope, name)) return false;
  const made = index.producer(scope, name);
  const constant = made?.opType === 'Constant' && made.domain === '' ? attribute(made, 'value') : undefined;
  return (scope.initializers.get(name) ?? constant?.tensor)?.scalar === 0;
}

/** Reads a tensor's shape and not its values. */
export function readsShape({ opType, domain }: Node): boolean {
  return domain === '' && (opType === 'Shape' || opType === 'Size');
}

const JOINT: ReadonlySet<string> = new Set(['Add', 'Sub', 'Max', 'Min']);

/** Positively homogeneous in its two inputs together: one of them, if it is constant, can be scaled as the other is. */
export function isJointlyHomogeneous({ opType, domain, inputs, outputs }: Node): boolean {
  return domain === '' && JOINT.has(opType) && inputs.length === 2 && outputs.length === 1;
}

/** Slots of inputs that a scale goes into: `up` takes the scale, `down` its reciprocal. */
export interface Slots {
  readonly up: readonly number[];
  readonly down: readonly number[];
}

const up = (...slots: number[]): Slots => ({ up: slots, down: [] });
const down = (...slots: number[]): Slots => ({ up: [], down: slots });

/** The weights that scale what a linear node makes; the first choice that is constant will do. None for other nodes. */
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

/** The weights that undo the scale of what goes into a linear node at a slot; none for other nodes. */
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
      // s (x - m) / d + b: with x and m both scaled, s is to be divided.
      return slot === 0 && isInference(node, scope) ? { up: [3], down: [1] } : undefined;
    default:
      return undefined;
  }
}

/** Before opset 7 a BatchNormalization was in training unless told otherwise; until 14 its further outputs said so. */
function isInference(node: Node, scope: Scope): boolean {
  const training = attribute(node, 'training_mode')?.i ?? 0;
  return opsetOf(scope) >= 7 && node.outputs.length === 1 && training === 0;
}
