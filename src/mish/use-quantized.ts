import type { OptionHint } from '../base/option-hint.js';
import type { Analysis } from '../onnx/analysis.js';
import { attribute, type Node, type Scope } from '../onnx/document.js';
import { DataType } from '../onnx/types.js';
import type { Operands } from './operands.js';
import { isQuantizer } from './quantization.js';
import { createReach } from './quantized-reach.js';
import { movesValues, wordSet } from './use-moves.js';
import type { InputUse, Question, UseVerdict } from './value-flow.js';

// A quantisation scale belongs to an activation up to the next layer with weights. Values joined with others are another
// signal: then only a scale for non-negative values still indicates ReLU.

const JOINED = 1;
const ALONE = 2;

/** Operators without weights whose results remain the same signal. */
const THROUGH =
  wordSet(`AveragePool GlobalAveragePool LpPool GlobalLpPool Clip LeakyRelu Relu ReduceMean ReduceMax ReduceMin
  ReduceSum ReduceL1 ReduceL2 Resize Upsample`);
const JOINS = wordSet('Add Max Mean Min Mul Sum Div Sub');
const ROUNDS = wordSet('Round Floor Ceil');

/** Zero points, by element type, that exclude negative values. */
const LEAST: Readonly<Record<number, number>> = {
  [DataType.INT4]: -8,
  [DataType.INT8]: -128,
  [DataType.INT16]: -32768,
};

const CALIBRATED = ', whose scale was calibrated for the old activation';

/**
 * Asks whether a scale calibrated for the old activation follows a site. A `lenient` question also counts scales of joined
 * values, and finds doubts.
 */
export function quantizedQuestion(operands: Operands, lenient = false): Question {
  const fits = (state: number, isNonNegative: boolean) => state === ALONE || lenient || isNonNegative;

  function onnx(use: InputUse, state: number): string | number | undefined {
    const { node, slot, scope } = use;
    const { opType, inputs } = node;
    if (opType === 'QuantizeLinear') {
      const counts = slot === 0 && fits(state, isForNonNegative(use, operands));
      return counts ? `it feeds QuantizeLinear${CALIBRATED}` : undefined;
    }
    if (movesValues(use)) return state;
    if (slot === 0 && ROUNDS.has(opType))
      return state === ALONE
        ? 'its result is rounded in steps that were calibrated for the old activation'
        : undefined;
    if (slot === 0 && THROUGH.has(opType)) return opType === 'Relu' && state === JOINED ? undefined : state;
    if (!JOINS.has(opType) || (opType === 'Div' && slot === 1)) return undefined;
    const isPlain = inputs.every((name, at) => at === slot || operands.constant(scope, name)?.single);
    if (isPlain) return state;
    return opType === 'Sub' ? undefined : JOINED;
  }

  return {
    start: ALONE,
    at(use, state) {
      const { node, slot } = use;
      if (node.domain === '' || isQuantizer(node)) return onnx(use, state);
      if (slot !== 0 || !quantises(use.node)) return undefined;
      const signed = attribute(use.node, 'signed')?.i;
      return fits(state, signed === 0) ? `it feeds ${use.node.opType}${CALIBRATED}` : undefined;
    },
  };
}

/**
 * Creates a function that returns the option which swaps an activation in spite of a verdict: with new scales, if QuantizeLinear
 * decides and its scale can be made anew.
 */
export function createInt8Option(
  index: Analysis['index'],
  calls: Analysis['calls'],
  to: { readonly name: string },
) {
  const reach = createReach(index, calls);
  return (
    purpose: string,
    { node }: Pick<UseVerdict, 'node'>,
    site: FollowedSite,
  ): OptionHint | undefined => {
    const isWritten = to.name === 'mish' && (site.kind === 'relu' || site.kind === 'leakyrelu');
    if (purpose !== 'quantized' || !isQuantizer(node) || !isWritten) return undefined;
    return typeof reach(site.scope, site.y) === 'string' ? undefined : { swap: { int8: 'exact' } };
  };
}

/** An activation whose result is followed. */
interface FollowedSite {
  readonly scope: Scope;
  readonly y: string;
  readonly kind: string;
}

function isForNonNegative({ node, scope }: InputUse, operands: Operands): boolean {
  const name = node.inputs[2] ?? '';
  if (name === '') return true; // uint8 with zero point 0, unless output_dtype differs
  const { value, elemType = 0 } = operands.constant(scope, name) ?? {};
  return value === (LEAST[elemType] ?? 0);
}

/** Domains of tools for quantisation-aware training. */
const TRAINED = /^(qonnx|finn|onnx\.brevitas)/;

/** Returns whether an operator outside ONNX quantises with a fixed scale; operators named Dynamic compute theirs. */
function quantises({ domain, opType }: Node): boolean {
  if (TRAINED.test(domain) && /^(Trunc|MultiThreshold)$/.test(opType)) return true;
  return /quant/i.test(opType) && !/dequant|^Dynamic|BFP|^QLinear|Blocks?Quantized/i.test(opType);
}
