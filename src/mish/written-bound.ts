import type { Analysis } from '../onnx/analysis.js';
import { attribute, type Node, type Scope } from '../onnx/document.js';
import { kindOf } from './activation-kinds.js';
import { constantChain } from './constants.js';
import type { Site } from './site.js';
import { wordSet } from './use-moves.js';

/** Operators with weights, whose results a network's activations read. */
const LAYERS =
  wordSet(`Conv ConvTranspose DeformConv Gemm MatMul Einsum BatchNormalization InstanceNormalization
  LayerNormalization GroupNormalization RMSNormalization LSTM GRU RNN QLinearConv QLinearMatMul ConvInteger MatMulInteger`);
/** The same in ONNX Runtime's own domain: FusedMatMul, MatMulNBits, QGemm. */
const OWN_LAYERS = /Conv|Gemm|MatMul|LayerNorm/;
/** Operators between a layer and its activation: biases, residual sums, scales, other shapes and types, pooling, quantisation. */
const BETWEEN =
  wordSet(`Add Sum Mul Identity Reshape Flatten Squeeze Unsqueeze Transpose Expand Cast CastLike Dropout MaxPool AveragePool
  GlobalMaxPool GlobalAveragePool Pad QuantizeLinear DequantizeLinear`);
/** Maximum number of those operators. */
const MAX_BETWEEN = 6;
/** Maximum number of examined values: there are many ways through nested functions with many calls each. */
const MAX_VALUES = 1000;

/**
 * Returns whether a ReLU without a Relu node, such as a Clip at 0, is a mere bound: no layer with weights computes its input. The
 * layer may be outside of the function or branch with the ReLU, or inside of another.
 *
 * @example
 * Gemm → Clip(0, ∞) is an activation; Sub → Clip(0, ∞), the width of a box, is a bound.
 */
export function isMereBound(
  { index, calls }: Pick<Analysis, 'index' | 'calls'>,
  { scope, node, kind, x = '' }: Pick<Site, 'scope' | 'node' | 'kind' | 'x'>,
): boolean {
  let count = 0;
  return kind === 'relu' && kindOf(node) === undefined && !followsLayer(scope, x, 0);

  function followsLayer(from: Scope, name: string, depth: number): boolean {
    const isTooFar = depth > MAX_BETWEEN || ++count > MAX_VALUES;
    const home = name === '' || isTooFar ? undefined : index.home(from, name);
    if (home === undefined) return false;
    const before = index.producer(home, name);
    if (before === undefined) return isFedByLayers(home, name, depth + 1);
    const callee = calls.callee(before);
    const inside = callee ? [callee] : before.opType === 'If' ? branchesOf(before) : [];
    if (inside.length > 0) {
      const slot = before.outputs.indexOf(name);
      return inside.every((body) => followsLayer(body, body.outputs[slot]?.name ?? '', depth + 1));
    }
    if (before.domain !== '') return before.domain === 'com.microsoft' && OWN_LAYERS.test(before.opType);
    if (LAYERS.has(before.opType) || isNormalisation(home, before)) return true;
    if (!BETWEEN.has(before.opType) && !isAffine(home, before)) return false;
    return before.inputs.slice(0, 2).some((input) => followsLayer(home, input, depth + 1));
  }

  /** Returns whether each call of a function gives it the result of a layer as this input. */
  function isFedByLayers(body: Scope, name: string, depth: number): boolean {
    const slot = body.inputs.findIndex((input) => input.name === name);
    const callers = body.kind === 'function' && slot >= 0 ? calls.callers(body) : [];
    return (
      callers.length > 0 &&
      callers.every((caller) => followsLayer(caller.scope, caller.node.inputs[slot] ?? '', depth))
    );
  }

  /** Returns whether a node divides by a standard deviation, as a normalisation that is written out does. */
  function isNormalisation(home: Scope, { opType, inputs }: Node): boolean {
    return opType === 'Div' && index.producer(home, inputs[1] ?? '')?.opType === 'Sqrt';
  }

  /** Returns whether a node subtracts a bias or divides by a scale, and no other value. */
  function isAffine(home: Scope, { opType, inputs }: Node): boolean {
    return /^(Sub|Div)$/.test(opType) && constantChain(index, home, inputs[1] ?? '').length > 0;
  }
}

const branchesOf = (node: Node): readonly Scope[] =>
  ['then_branch', 'else_branch'].flatMap((name) => attribute(node, name)?.graphs ?? []);
