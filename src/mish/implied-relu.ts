import type { Analysis } from '../onnx/analysis.js';
import { type Node, nodeLabel, type OnnxDocument, rewriteObstacle, type Scope } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { floatType } from '../onnx/types.js';
import { kindOf } from './activation-kinds.js';
import {
  integersOf,
  isDequantizer,
  isQuantizer,
  QUANTIZED_LAYERS,
  quantizationOf,
  rangeOf,
} from './quantization.js';
import type { Site, Skip } from './site.js';

/** Relative difference of a range from [0, 6] up to which it counts as ReLU6. */
const NEAR = 1e-3;

/** Returns whether one of a node's dequantised inputs can be negative. */
function canBeNegative(index: GraphIndex, scope: Scope, { inputs }: Node): boolean {
  return inputs.some((name) => {
    const from = index.producer(scope, name);
    if (!isDequantizer(from)) return true;
    const quantization = quantizationOf(index, scope, from);
    return quantization === undefined || rangeOf(quantization).least < 0;
  });
}

/** Returns whether an activation node reads the quantised values: then that node is the site. */
function isBeforeActivation(index: GraphIndex, scope: Scope, { outputs }: Node): boolean {
  return index.uses(scope, outputs[0] ?? '').some((use) => {
    if (use.kind !== 'input' || !isDequantizer(use.node)) return false;
    const readers = index.uses(use.scope, use.node.outputs[0] ?? '');
    return readers.some((reader) => reader.kind === 'input' && kindOf(reader.node) !== undefined);
  });
}

/**
 * Returns the activation that a QuantizeLinear node computes, since it clips the results of a quantised layer, and no activation
 * lies between; undefined for another node.
 */
export function clippingKind(index: GraphIndex, scope: Scope, node: Node): 'relu' | 'relu6' | undefined {
  if (!isQuantizer(node)) return undefined;
  const before = index.producer(scope, node.inputs[0] ?? '');
  if (before?.domain !== '' || !QUANTIZED_LAYERS.has(before.opType)) return undefined;
  if (!isDequantizer(index.producer(scope, before.inputs[0] ?? ''))) return undefined;
  const quantization = quantizationOf(index, scope, node);
  if (quantization?.zeroPoint !== integersOf(quantization?.elemType ?? 0)[0]) return undefined;
  const isSum = before.opType === 'Add' || before.opType === 'Sum';
  if (isSum && !canBeNegative(index, scope, before)) return undefined;
  if (isBeforeActivation(index, scope, node)) return undefined;
  return Math.abs(rangeOf(quantization).most - 6) > 6 * NEAR ? 'relu' : 'relu6';
}

/** Finds the QuantizeLinear nodes that compute a ReLU and alone read what they clip. ONNX Runtime's quantiser writes models so. */
export function findImpliedRelus(
  { scopes }: Pick<OnnxDocument, 'scopes'>,
  { index, types }: Pick<Analysis, 'index' | 'types'>,
): { readonly sites: Site[]; readonly skipped: Skip[] } {
  const sites: Site[] = [];
  const skipped: Skip[] = [];
  for (const scope of scopes)
    for (const node of scope.nodes) {
      const [x = ''] = node.inputs;
      const kind = rewriteObstacle(node) ? undefined : clippingKind(index, scope, node);
      const before = kind && index.producer(scope, x);
      if (before === undefined || index.uses(scope, x).length !== 1) continue;
      const type = floatType(types(scope, x)) ?? quantizationOf(index, scope, node)?.type;
      const site: Site = { node, scope, kind: 'relu', alpha: undefined, type };
      if (kind === 'relu') {
        sites.push({
          ...site,
          doubt: `no Relu node, but ${nodeLabel(node)} clips negative values as ReLU does`,
        });
        continue;
      }
      const why = 'its range from 0 to 6 is that of ReLU6';
      skipped.push({ ...site, kind: 'relu6', reason: 'clamp', why, decidedBy: site });
    }
  return { sites, skipped };
}
