import { attribute, type Node } from '../onnx/document.js';

/** A kind of activation that can be swapped. */
export interface Kind {
  readonly name: string;
  readonly opType: string;
  /** Swapped unless the caller chooses other kinds; the rest have to be asked for by name. */
  readonly byDefault: boolean;
}

export const KINDS: readonly Kind[] = [
  { name: 'relu', opType: 'Relu', byDefault: true },
  { name: 'leakyrelu', opType: 'LeakyRelu', byDefault: true },
  { name: 'prelu', opType: 'PRelu', byDefault: false },
  { name: 'elu', opType: 'Elu', byDefault: false },
  { name: 'hardswish', opType: 'HardSwish', byDefault: false },
];

/** The kind of activation a node is; undefined for any other node. */
export function kindOf(node: Node): Kind | undefined {
  return node.domain === '' ? KINDS.find((kind) => kind.opType === node.opType) : undefined;
}

/** LeakyRelu's slope, 0.01 unless given; `@name` where the enclosing function's caller gives it. */
export function alphaOf(node: Node): number | string | undefined {
  if (node.opType !== 'LeakyRelu') return undefined;
  const alpha = attribute(node, 'alpha');
  if (alpha?.ref !== undefined) return `@${alpha.ref}`;
  return alpha?.f ?? Math.fround(0.01);
}

const ACTIVATION = /relu/i;

/** Why a node has a ReLU inside that cannot be taken out; undefined when it has none. */
export function fusedActivation(node: Node): string | undefined {
  const { opType } = node;
  if (node.domain === '' && (opType === 'RNN' || opType === 'LSTM' || opType === 'GRU')) {
    const inside = attribute(node, 'activations')?.strings?.find((name) => ACTIVATION.test(name));
    return inside && `${inside} is built into the ${opType} operator`;
  }
  if (node.domain === '') return undefined;
  if (/^Fused/.test(opType)) {
    const inside = attribute(node, 'activation')?.s;
    return inside !== undefined && ACTIVATION.test(inside) ? `${inside} is fused into ${opType}` : undefined;
  }
  // com.microsoft.QLinearLeakyRelu and its like compute on quantised integers.
  if (/^QLinear/.test(opType) && ACTIVATION.test(opType)) return `${opType} computes on quantised integers`;
  return undefined;
}
