import type { Scope } from '../../onnx/document.js';
import { attribute } from '../../onnx/document.js';
import type { GraphIndex } from '../../onnx/graph-index.js';

/** The axis on which a tensor has its units: a number from 0, or the last one, whichever that is. */
export type UnitAxis = number | 'last';

/** Operators that give channels on axis 1. */
const CHANNELS: readonly string[] = [
  ...['Conv', 'ConvTranspose', 'BatchNormalization', 'InstanceNormalization', 'GroupNormalization'],
  ...['MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool'],
];
/** Operators that give features on the last axis. */
const FEATURES: readonly string[] = ['MatMul', 'Gemm', 'LayerNormalization', 'RMSNormalization'];
/** Operators that leave axes where they are. */
const ELEMENTWISE: readonly string[] = [
  ...['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Sum', 'Identity', 'Cast', 'Dropout', 'Clip'],
  ...['Relu', 'LeakyRelu', 'Sigmoid', 'Tanh', 'Softplus', 'Mish'],
];

/**
 * Where a tensor of a graph has its units, channels or features, by who made it: axis 1, as after a convolution; the
 * last axis after MatMul and Gemm. Operators that work element by element are looked through, and Transpose is followed.
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

/** That axis in a tensor of so many dimensions: vectors and matrices have features last. Undefined for a scalar. */
export function axisIn(axis: UnitAxis, rank: number): number | undefined {
  if (rank === 0) return undefined;
  return axis === 'last' || rank <= 2 ? rank - 1 : Math.min(axis, rank - 1);
}
