import { attribute, type Node } from '../onnx/document.js';

/** The activations that a swap can write. */
export const REPLACEMENTS = ['mish', 'relu', 'leakyrelu', 'swish', 'gelu', 'hardswish', 'elu'] as const;
export type ReplacementName = (typeof REPLACEMENTS)[number];

/** A kind of activation that can be swapped. */
export interface Kind {
  readonly name: string;
  readonly opType: string;
  /** Whether a swap includes this kind by default, unless it writes this kind; other kinds must be named in `only`. */
  readonly byDefault: boolean;
  /** How far below zero its values are. */
  readonly depth: number;
}

export const KINDS: readonly Kind[] = [
  { name: 'relu', opType: 'Relu', byDefault: true, depth: 0 },
  { name: 'leakyrelu', opType: 'LeakyRelu', byDefault: true, depth: Infinity },
  { name: 'prelu', opType: 'PRelu', byDefault: false, depth: Infinity },
  { name: 'elu', opType: 'Elu', byDefault: false, depth: 1 },
  { name: 'hardswish', opType: 'HardSwish', byDefault: false, depth: 0.375 },
  // ONNX has no ReLU6 operator: models use a Clip from 0 to 6, or several nodes.
  { name: 'relu6', opType: 'ReLU6', byDefault: false, depth: 0 },
  { name: 'mish', opType: 'Mish', byDefault: true, depth: 0.309 },
  { name: 'swish', opType: 'Swish', byDefault: false, depth: 0.2785 },
  { name: 'gelu', opType: 'Gelu', byDefault: false, depth: 0.1701 },
];

const ALIASES: Readonly<Record<string, string>> = { silu: 'swish', 'tanh-gelu': 'gelu' };

/** Returns the kind with this name or alias; undefined for other names. */
export function kindNamed(name: string): Kind | undefined {
  const own = Object.hasOwn(ALIASES, name) ? ALIASES[name] : name;
  return KINDS.find((kind) => kind.name === own);
}

/** Returns how far below zero the values of a kind are. */
export const depthOf = (kind: string) => KINDS.find(({ name }) => name === kind)?.depth ?? 0;

/** Returns whether a swap to an activation includes a kind by default. */
export function isDefault({ name, byDefault }: Kind, to: string): boolean {
  return byDefault && name !== to;
}

const BY_OPERATOR: ReadonlyMap<string, Kind> = new Map(KINDS.map((kind) => [kind.opType, kind]));

/** Returns the activation kind of a node, or undefined for other nodes. */
export function kindOf(node: Node): Kind | undefined {
  return node.domain === '' ? BY_OPERATOR.get(node.opType) : undefined;
}

/** Returns LeakyRelu's slope, 0.01 by default; `@name` for a reference to a function's attribute. */
export function alphaOf(node: Node): number | string | undefined {
  if (node.opType !== 'LeakyRelu') return undefined;
  const alpha = attribute(node, 'alpha');
  if (alpha?.ref !== undefined) return `@${alpha.ref}`;
  return alpha?.f ?? Math.fround(0.01);
}

const RELU = /relu/i;

/** The values of attributes that name a ReLU: Relu, relu6, leaky_relu. */
const NAME = /^[a-z]*_?relu\d?$/i;

/**
 * Explains why a ReLU inside an operator cannot be replaced; undefined without such a ReLU. Ignores function calls. Any text of an
 * operator from another domain may name a ReLU: FusedConv, FusedGemm, the blocked Conv of a model that ONNX Runtime saved, ATen.
 */
export function fusedActivation(node: Node): string | undefined {
  const { opType, domain, attributes } = node;
  if (domain === '' && !/^(RNN|LSTM|GRU)$/.test(opType)) return undefined;
  const named = attributes.flatMap(({ s, strings }) => s ?? strings ?? []).find((text) => NAME.test(text));
  // A mixture of experts without the attribute uses relu.
  const inside = named ?? (/^Q?MoE$/.test(opType) && !attribute(node, 'activation_type') && 'relu');
  if (inside) return `${inside} is fused into ${opType}`;
  return RELU.test(opType) ? `${opType} is an operator of ${domain}, not of ONNX` : undefined;
}
