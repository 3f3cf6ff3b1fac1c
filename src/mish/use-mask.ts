import { attribute } from '../onnx/document.js';
import type { ElementTypes } from '../onnx/element-types.js';
import { DataType } from '../onnx/types.js';
import type { Operands } from './operands.js';
import { BINARY, movesValues, wordSet } from './use-moves.js';
import type { Question } from './value-flow.js';

/** Operators whose result is zero where all inputs are zero, and above zero where any input is. */
const KEEPS_ZERO =
  wordSet(`Abs AveragePool Ceil Floor GlobalAveragePool LeakyRelu LpPool GlobalLpPool Neg ReduceL1 ReduceL2
  ReduceMean ReduceProd ReduceSum ReduceSumSquare Relu Resize Round Sqrt CumSum Clip Pow`);
const COMPARES = wordSet('Equal Greater GreaterOrEqual Less LessOrEqual');
const JOINS = wordSet('Max Min Mean Sum');

/** Asks whether a result, by its zeros or its size, decides a mask. */
export function maskQuestion(operands: Operands, types: ElementTypes): Question {
  return {
    start: 1,
    at(use, state) {
      const { node, slot, scope } = use;
      const { opType, inputs } = node;
      if (node.domain !== '') return undefined;
      if (opType === 'Cast' && attribute(node, 'to')?.i === DataType.BOOL) return DECIDES;
      if (opType === 'CastLike' && types(scope, inputs[1] ?? '') === DataType.BOOL)
        return slot === 0 ? DECIDES : undefined;
      if (COMPARES.has(opType) || opType === 'Sign') return DECIDES;
      if (movesValues(use) || (slot === 0 && KEEPS_ZERO.has(opType))) return state;
      const isKnown = (name: string) =>
        operands.constant(scope, name) !== undefined || operands.isNonNegative(scope, name);
      if (BINARY.has(opType)) return isKnown(inputs[1 - slot] ?? '') ? state : undefined;
      if (JOINS.has(opType) && inputs.length <= 4)
        return inputs.every((name, at) => at === slot || isKnown(name)) ? state : undefined;
      return undefined;
    },
  };
}

const DECIDES = 'it decides a mask';
