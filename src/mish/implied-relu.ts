import type { Analysis } from '../onnx/analysis.js';
import { type Node, nodeLabel, type OnnxDocument, rewriteObstacle, type Scope } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { floatType } from '../onnx/types.js';
import { kindOf } from './activation-kinds.js';
import { constantTensor } from './constants.js';
import {
  integersOf,
  isDequantizer,
  isQuantizer,
  type Quantization,
  quantizationOf,
  quantizedConstant,
  rangeOf,
} from './quantization.js';
import { isShapeUse } from './quantized-reach.js';
import type { Site, Skip } from './site.js';
import { MOVES, wordSet } from './use-moves.js';
import type { InputUse } from './value-flow.js';
import { heldRange, isNonNegative, SIGNED } from './value-sign.js';

/** Relative difference of a bound from that of ReLU6 or HardSigmoid up to which it counts as the same. */
const NEAR = 1e-3;
/** Upper bound of ReLU6. */
const SIX = 6;
/** Upper bounds of Clips that quantisers remove: ReLU6, shares, and pixels. A ReLU whose largest result is such a number is rare. */
const BOUNDS = [SIX, 1, 255];
/** Numbers that HardSigmoid adds: 3 in min(max(x + 3, 0), 6) / 6, and 0.5 in min(max(αx + 0.5, 0), 1). The upper bound is twice the number. */
const GATE_SHIFTS = [3, 0.5];

/** Operators after which a quantiser removes a Relu. */
const BEFORE = new Set([
  ...SIGNED,
  ...wordSet('Add Sum Mul Concat Transpose Reshape Flatten Squeeze Unsqueeze'),
]);

/**
 * Operators that pass on a part of their values, which may be positive by chance. ONNX Runtime's quantiser gives their results the
 * scale of their operand, unless it removed a Relu after them.
 */
const PARTS = wordSet('Slice MaxPool Gather');

/** Returns whether an activation node reads the quantised values: then that node is the site. */
function isBeforeActivation(index: GraphIndex, scope: Scope, { outputs }: Node): boolean {
  return index.uses(scope, outputs[0] ?? '').some((use) => {
    if (use.kind !== 'input' || !isDequantizer(use.node)) return false;
    const readers = index.uses(use.scope, use.node.outputs[0] ?? '');
    return readers.some((reader) => reader.kind === 'input' && kindOf(reader.node) !== undefined);
  });
}

/** How a QuantizeLinear node turns negative numbers to 0. */
interface Clipping {
  readonly quantization: Quantization;
  /** Whether negative results are certain to be possible; otherwise their sign is unknown. */
  readonly isSigned: boolean;
}

/** Returns how a QuantizeLinear node clips negative results; undefined if it clips none, or if an activation after it does. */
function clippingOf(index: GraphIndex, scope: Scope, node: Node): Clipping | undefined {
  const [x = ''] = node.inputs;
  if (!isQuantizer(node) || index.producer(scope, x) === undefined) return undefined;
  const quantization = quantizationOf(index, scope, node);
  if (quantization?.zeroPoint !== integersOf(quantization?.elemType ?? 0)[0]) return undefined;
  const sign = isNonNegative(index, scope, x);
  if (quantization === undefined || sign === true || isBeforeActivation(index, scope, node)) return undefined;
  return { quantization, isSigned: sign === false };
}

/** Returns whether a QuantizeLinear node clips results that may be negative, and no activation after it does. */
export const clipsNegatives = (index: GraphIndex, scope: Scope, node: Node): boolean =>
  clippingOf(index, scope, node) !== undefined;

/** Returns the number of a constant with a single element, also of a quantised one; undefined for another value. */
function numberOf(index: GraphIndex, scope: Scope, name: string): number | undefined {
  const quantized = quantizedConstant(index, scope, name);
  return quantized ? quantized.number : constantTensor(index, scope, name)?.scalar;
}

/** Returns the number that a node adds to its operand for a HardSigmoid whose results are at most `most`; undefined for another node. */
function gateShift(index: GraphIndex, scope: Scope, node: Node, most: number): number | undefined {
  if (node.opType !== 'Add') return undefined;
  const numbers = node.inputs.map((name) => numberOf(index, scope, name) ?? Number.NaN);
  return GATE_SHIFTS.find(
    (shift) =>
      most <= 2 * shift * (1 + NEAR) && numbers.some((number) => Math.abs(number - shift) <= shift * NEAR),
  );
}

/** An activation that a QuantizeLinear node computes: min(max(x, 0), bound). */
export interface ImpliedActivation {
  /** Infinity for ReLU, 6 for ReLU6. */
  readonly bound: number;
  /** Why the node is no ReLU; undefined for ReLU. */
  readonly why: string | undefined;
}

/**
 * Returns the activation that a QuantizeLinear node computes, since it clips the negative results of an operator after which a
 * quantiser removes a Relu; undefined for another node.
 */
export function impliedActivation(
  index: GraphIndex,
  scope: Scope,
  node: Node,
): ImpliedActivation | undefined {
  if (!isQuantizer(node)) return undefined;
  const before = index.producer(scope, node.inputs[0] ?? '');
  if (before?.domain !== '' || !BEFORE.has(before.opType)) return undefined;
  if (!isDequantizer(index.producer(scope, before.inputs[0] ?? ''))) return undefined;
  const clipping = clippingOf(index, scope, node);
  if (!clipping?.isSigned) return undefined;
  const { most } = rangeOf(clipping.quantization);
  const shift = gateShift(index, scope, before, most);
  if (shift !== undefined) {
    const why = `${nodeLabel(before)} adds ${shift} before it, as HardSigmoid and HardSwish do`;
    return { bound: 2 * shift, why };
  }
  const bound = BOUNDS.find((one) => Math.abs(most - one) <= one * NEAR);
  if (bound === undefined) return { bound: Number.POSITIVE_INFINITY, why: undefined };
  return { bound, why: `its range from 0 to ${bound} is that of ${bound === SIX ? 'ReLU6' : 'a clamp'}` };
}

/** Returns the QuantizeLinear nodes of a scope that compute an activation, by the value that they clip. */
function clippingNodes(index: GraphIndex, scope: Scope): ReadonlyMap<string, Node[]> {
  const found = new Map<string, Node[]>();
  for (const node of scope.nodes) {
    if (rewriteObstacle(node) || impliedActivation(index, scope, node) === undefined) continue;
    const [x = ''] = node.inputs;
    const known = found.get(x);
    if (known === undefined) found.set(x, [node]);
    else known.push(node);
  }
  return found;
}

/** Returns why a QuantizeLinear node behind a part of the values may compute a ReLU; undefined for another. */
function partialRelu(index: GraphIndex, scope: Scope, node: Node): string | undefined {
  if (!isQuantizer(node)) return undefined;
  const before = index.producer(scope, node.inputs[0] ?? '');
  if (before?.domain !== '' || !PARTS.has(before.opType)) return undefined;
  const held = heldRange(index, scope, before.inputs[0] ?? '');
  if (held === undefined || held.least >= 0 || !clipsNegatives(index, scope, node)) return undefined;
  return `no Relu node, but ${nodeLabel(node)} clips negative values of ${nodeLabel(before)}, or the samples had none`;
}

/** Maximum number of uses examined behind a QuantizeLinear node. */
const MAX_USES = 32;

/**
 * Returns why the values that a QuantizeLinear node clips are positive by chance rather than by a ReLU: a bias is added to them, or
 * they are a result of the model. Undefined where neither holds.
 */
function chanceOf(index: GraphIndex, scope: Scope, node: Node): string | undefined {
  const label = `no Relu node, but ${nodeLabel(node)} clips negative values`;
  const isProduct = index.producer(scope, node.inputs[0] ?? '')?.opType === 'MatMul';
  const queue = [node.outputs[0] ?? ''];
  let isResult = false;
  let left = MAX_USES;
  for (const name of queue)
    for (const use of index.uses(scope, name)) {
      if (--left < 0 || use.scope !== scope) return undefined;
      if (use.kind === 'output') {
        isResult = true;
        continue;
      }
      if (isShapeUse(use)) continue;
      const { node: reader } = use;
      if (MOVES.has(reader.opType) || isQuantizer(reader) || isDequantizer(reader))
        queue.push(reader.outputs[0] ?? '');
      else if (isProduct && isBias(index, use))
        return `${label} before ${nodeLabel(reader)} adds a bias, or the samples had none`;
      else return undefined;
    }
  return isResult ? `${label} of an output of the model, or the samples had none` : undefined;
}

/** Returns whether a use adds a constant. */
function isBias(index: GraphIndex, { node, slot, scope }: InputUse): boolean {
  return node.opType === 'Add' && quantizedConstant(index, scope, node.inputs[1 - slot] ?? '') !== undefined;
}

/**
 * Finds the QuantizeLinear nodes that compute a ReLU. ONNX Runtime's quantiser writes models so. Several of them that read the same
 * value are one site, with the name of the first; other readers of the value forbid the swap.
 */
export function findImpliedRelus(
  { scopes }: Pick<OnnxDocument, 'scopes'>,
  { index, types }: Pick<Analysis, 'index' | 'types'>,
): { readonly sites: Site[]; readonly skipped: Skip[] } {
  const sites: Site[] = [];
  const skipped: Skip[] = [];
  for (const scope of scopes) {
    for (const node of scope.nodes) {
      const why = partialRelu(index, scope, node);
      if (why === undefined) continue;
      const type = quantizationOf(index, scope, node)?.type;
      const site: Site = { node, scope, kind: 'relu', alpha: undefined, type };
      skipped.push({ ...site, reason: 'quantized', why, decidedBy: site });
    }
    for (const [x, nodes] of clippingNodes(index, scope)) {
      const [node] = nodes;
      if (node === undefined) continue;
      const type = floatType(types(scope, x)) ?? quantizationOf(index, scope, node)?.type;
      const site: Site = { node, scope, kind: 'relu', alpha: undefined, type };
      const clipping = new Set(nodes);
      const other = index
        .uses(scope, x)
        .find((use) => !isShapeUse(use) && (use.kind === 'output' || !clipping.has(use.node)));
      const doubt = `no Relu node, but ${nodeLabel(node)} clips negative values as ReLU does`;
      const [bounded] = nodes.flatMap((one) => {
        const { bound = 0, why } = impliedActivation(index, scope, one) ?? {};
        return why === undefined ? [] : { kind: bound === SIX ? 'relu6' : 'relu', why };
      });
      if (bounded !== undefined) skipped.push({ ...site, ...bounded, reason: 'clamp', decidedBy: site });
      else if (other === undefined) {
        const why = chanceOf(index, scope, node);
        if (why === undefined) sites.push({ ...site, doubt });
        else skipped.push({ ...site, reason: 'quantized', why, decidedBy: site });
      } else {
        const reader = other.kind === 'output' ? 'an output of the model' : nodeLabel(other.node);
        const why = `${doubt}, and ${reader} reads the unclipped values`;
        skipped.push({ ...site, reason: 'quantized', why, decidedBy: site });
      }
    }
  }
  return { sites, skipped };
}
