import type { Scope } from '../../onnx/document.js';
import { attribute } from '../../onnx/document.js';
import type { GraphIndex } from '../../onnx/graph-index.js';

/** Axis of a tensor's units: a number from 0, or the last axis. */
export type UnitAxis = number | 'last';

/** Operators whose outputs have channels on axis 1. */
const CHANNELS: readonly string[] = [
  ...['Conv', 'ConvTranspose', 'BatchNormalization', 'InstanceNormalization', 'GroupNormalization'],
  ...['MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool'],
];
/** Operators whose outputs have features on the last axis. */
const FEATURES: readonly string[] = ['MatMul', 'Gemm', 'LayerNormalization', 'RMSNormalization'];
/** Operators that keep the order of axes. */
const ELEMENTWISE: readonly string[] = [
  ...['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Sum', 'Identity', 'Cast', 'Dropout', 'Clip'],
  ...['Relu', 'LeakyRelu', 'Sigmoid', 'Tanh', 'Softplus', 'Mish'],
];

/**
 * Returns the axis of a tensor's units (channels or features) from the operator that produced it: axis 1 after a
 * convolution, the last axis after MatMul and Gemm. The search passes through elementwise operators and Transpose.
 * Axis 1 if no such operator precedes the tensor.
 */
export function unitAxis(index: GraphIndex, scope: Scope, name: string): UnitAxis {
  const seen = new Set<string>();
  const find = (name: string): UnitAxis | undefined => {
    const node = index.producer(scope, name);
    if (node === undefined || seen.has(name) || node.domain !== '') return undefined;
    seen.add(name);
    if (CHANNELS.includes(node.opType)) return 1;
    if (FEATURES.includes(node.opType)) return 'last';
    if (node.opType === 'Transpose') {
      const axis = find(node.inputs[0] ?? '');
      const order = attribute(node, 'perm')?.ints;
      if (axis === undefined || order === undefined) return undefined;
      const to = order.indexOf(axis === 'last' ? order.length - 1 : axis);
      return to === -1 ? undefined : to;
    }
    if (!ELEMENTWISE.includes(node.opType)) return undefined;
    for (const input of node.inputs) {
      const axis = find(input);
      if (axis !== undefined) return axis;
    }
    return undefined;
  };
  return find(name) ?? 1;
}

/** Returns the axis as a number for a tensor of this rank: the last axis up to rank 2, undefined for a scalar. */
export function axisIn(axis: UnitAxis, rank: number): number | undefined {
  if (rank === 0) return undefined;
  return axis === 'last' || rank <= 2 ? rank - 1 : Math.min(axis, rank - 1);
}
