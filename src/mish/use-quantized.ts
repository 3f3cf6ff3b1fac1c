import { attribute } from '../onnx/document.js';
import { DataType } from '../onnx/types.js';
import type { Operands } from './operands.js';
import { movesValues, words } from './use-moves.js';
import type { InputUse, Question } from './value-flow.js';

// A scale follows the values that it was calibrated for up to the next layer with weights. Where they have been joined with
// others, they are another signal; only a scale that was made for a range without negative values tells of ReLU still.

const JOINED = 1;
const ALONE = 2;

/** Operators that take no weights and give numbers of the same kind. */
const THROUGH =
  words(`AveragePool GlobalAveragePool LpPool GlobalLpPool Clip LeakyRelu Relu ReduceMean ReduceMax ReduceMin
  ReduceSum ReduceL1 ReduceL2 Resize Upsample`);
const JOINS = words('Add Max Mean Min Mul Sum Div Sub');
const ROUNDS = words('Round Floor Ceil');

/** Zero points, by element type, that leave no room for negative values. */
const LEAST: Readonly<Record<number, number>> = {
  [DataType.INT4]: -8,
  [DataType.INT8]: -128,
  [DataType.INT16]: -32768,
};

const CALIBRATED = ', whose scale was calibrated for the old activation';

/**
 * Whether a scale calibrated for the old activation follows a site. A question that is `lenient` also minds scales of what
 * it has been joined with, to say where there is a doubt.
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
        ? 'its result is rounded in steps that were made for the old activation'
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
      if (node.domain === '') return onnx(use, state);
      if (!isQuantizer(node.domain, node.opType) || slot !== 0) return undefined;
      const signed = attribute(node, 'signed')?.i;
      return fits(state, signed === 0) ? `it feeds ${node.opType}${CALIBRATED}` : undefined;
    },
  };
}

function isForNonNegative({ node, scope }: InputUse, operands: Operands): boolean {
  const name = node.inputs[2] ?? '';
  if (name === '') return true; // uint8, with 0 for zero, unless output_dtype says otherwise
  const { value, elemType = 0 } = operands.constant(scope, name) ?? {};
  return value === (LEAST[elemType] ?? 0);
}

/** Domains of tools that train with quantisation. */
const TRAINED = /^(qonnx|finn|onnx\.brevitas)/;

/** Whether an operator outside ONNX quantises by a scale that is given; those that find it at run time are called Dynamic. */
function isQuantizer(domain: string, opType: string): boolean {
  if (TRAINED.test(domain) && /^(Trunc|MultiThreshold)$/.test(opType)) return true;
  return /quant/i.test(opType) && !/dequant|^Dynamic|BFP|^QLinear|Blocks?Quantized/i.test(opType);
}
