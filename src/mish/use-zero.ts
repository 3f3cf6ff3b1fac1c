import type { ElementTypes } from '../onnx/element-types.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import type { Operands } from './operands.js';
import { guardQuestion } from './use-guard.js';
import { maskQuestion } from './use-mask.js';
import { wordSet } from './use-moves.js';
import type { InputUse, Question } from './value-flow.js';

// ReLU and HardSwish give zero for many inputs. Activations that are negative there may be divisors, or decide by their sign.

/** Functions that the guard question names, and that accept zero. */
const ACCEPTS_ZERO = new Set(['Sqrt', 'Acosh']);
/** Operators whose result is zero where their operands are, besides those that the guard question follows. */
const KEEPS_ZERO =
  wordSet(`Abs Ceil Neg Round Sqrt ReduceL1 ReduceL2 ReduceSumSquare LpPool GlobalLpPool ReduceProd Sin Tan Tanh Asin Atan Erf
  Sinh Asinh Atanh Relu`);

/** Returns whether zero operands give a zero result. A product is zero whatever its other factor is. */
const keepsZero = ({ node, slot }: InputUse) =>
  node.opType === 'Mul' || (slot === 0 && (node.opType === 'Div' || KEEPS_ZERO.has(node.opType)));

/** Depth so small that any bound above zero ends the search. */
const DEPTH = 1e-30;

/** Returns the questions whether zeros of a result reach a divisor or a logarithm, or its sign decides a mask. */
export function zeroQuestions(index: GraphIndex, operands: Operands, types: ElementTypes): Question[] {
  const guard = guardQuestion(index, operands, DEPTH);
  const mask = maskQuestion(operands, types);
  const isConstantZero = ({ node, scope }: InputUse) => operands.constant(scope, node.inputs[1])?.value === 0;
  return [
    {
      ...guard,
      at(use, state) {
        const { opType, domain } = use.node;
        const found = guard.at(use, state);
        const isPower = opType === 'Pow' && use.slot === 0;
        if (
          typeof found === 'string' &&
          (found.includes('divisor') || !(isPower || ACCEPTS_ZERO.has(opType)))
        )
          return `its zeros reach ${opType}`;
        if (typeof found === 'number') return found;
        // A power of zero is zero unless its exponent is.
        const isZero = domain === '' && (isPower ? !isConstantZero(use) : keepsZero(use));
        return isZero ? state : undefined;
      },
    },
    {
      ...mask,
      at(use, state) {
        const found = mask.at(use, state);
        return typeof found === 'string' ? 'its sign decides a mask, and becomes zero' : found;
      },
    },
  ];
}
