import type { Analysis } from '../onnx/analysis.js';
import { type Node, nodeLabel, type OnnxDocument, rewriteObstacle, type Scope } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { floatType } from '../onnx/types.js';
import { kindOf } from './activation-kinds.js';
import {
  integersOf,
  isDequantizer,
  isQuantizer,
  type Quantization,
  quantizationOf,
  rangeOf,
} from './quantization.js';
import { isShapeUse } from './quantized-reach.js';
import type { Site, Skip } from './site.js';
import { wordSet } from './use-moves.js';
import { isNonNegative, SIGNED } from './value-sign.js';

/** Relative difference of a range from [0, 6] up to which it counts as ReLU6. */
const NEAR = 1e-3;

/** Operators after which a quantiser removes a Relu. */
const BEFORE = new Set([
  ...SIGNED,
  ...wordSet('Add Sum Mul Concat Transpose Reshape Flatten Squeeze Unsqueeze'),
]);

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

/**
 * Returns the activation that a QuantizeLinear node computes, since it clips the negative results of an operator after which a
 * quantiser removes a Relu; undefined for another node.
 */
export function clippingKind(index: GraphIndex, scope: Scope, node: Node): 'relu' | 'relu6' | undefined {
  if (!isQuantizer(node)) return undefined;
  const before = index.producer(scope, node.inputs[0] ?? '');
  if (before?.domain !== '' || !BEFORE.has(before.opType)) return undefined;
  if (!isDequantizer(index.producer(scope, before.inputs[0] ?? ''))) return undefined;
  const clipping = clippingOf(index, scope, node);
  if (!clipping?.isSigned) return undefined;
  return Math.abs(rangeOf(clipping.quantization).most - 6) > 6 * NEAR ? 'relu' : 'relu6';
}

/** Returns the QuantizeLinear nodes of a scope that compute an activation, by the value that they clip. */
function clippingNodes(index: GraphIndex, scope: Scope): ReadonlyMap<string, Node[]> {
  const found = new Map<string, Node[]>();
  for (const node of scope.nodes) {
    if (rewriteObstacle(node) || clippingKind(index, scope, node) === undefined) continue;
    const [x = ''] = node.inputs;
    const known = found.get(x);
    if (known === undefined) found.set(x, [node]);
    else known.push(node);
  }
  return found;
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
  for (const scope of scopes)
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
      if (nodes.some((one) => clippingKind(index, scope, one) === 'relu6')) {
        const why = 'its range from 0 to 6 is that of ReLU6';
        skipped.push({ ...site, kind: 'relu6', reason: 'clamp', why, decidedBy: site });
      } else if (other === undefined) sites.push({ ...site, doubt });
      else {
        const reader = other.kind === 'output' ? 'an output of the model' : nodeLabel(other.node);
        const why = `${doubt}, and ${reader} reads the unclipped values`;
        skipped.push({ ...site, reason: 'quantized', why, decidedBy: site });
      }
    }
  return { sites, skipped };
}
