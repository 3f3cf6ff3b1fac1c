import type { Analysis } from '../onnx/analysis.js';
import { kindOf } from './activation-kinds.js';
import type { Site } from './site.js';
import { wordSet } from './use-moves.js';

/** Operators with weights, whose results a network's activations read. */
const LAYERS =
  wordSet(`Conv ConvTranspose Gemm MatMul BatchNormalization InstanceNormalization LayerNormalization
  GroupNormalization`);
/** Operators between a layer and its activation: biases, residual sums, scales, other shapes. */
const BETWEEN = wordSet('Add Sum Mul Identity Reshape Flatten Squeeze Unsqueeze Transpose');
/** Maximal number of those operators. */
const MAX_BETWEEN = 6;

/**
 * Returns whether a ReLU without a Relu node, such as a Clip at 0, is a mere bound: no layer with weights computes its input.
 *
 * @example
 * Gemm → Clip(0, ∞) is an activation; Sub → Clip(0, ∞), the width of a box, is a bound.
 */
export function isMereBound(
  { index }: Pick<Analysis, 'index'>,
  { scope, node, kind, x = '' }: Pick<Site, 'scope' | 'node' | 'kind' | 'x'>,
): boolean {
  return kind === 'relu' && kindOf(node) === undefined && !followsLayer(x, 0);

  function followsLayer(name: string, depth: number): boolean {
    const before = name === '' ? undefined : index.producer(scope, name);
    if (before?.domain !== '') return false;
    if (LAYERS.has(before.opType)) return true;
    if (depth >= MAX_BETWEEN || !BETWEEN.has(before.opType)) return false;
    return before.inputs.slice(0, 2).some((input) => followsLayer(input, depth + 1));
  }
}
