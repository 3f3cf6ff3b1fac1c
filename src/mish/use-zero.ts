import type { ElementTypes } from '../onnx/element-types.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import type { Operands } from './operands.js';
import { guardQuestion } from './use-guard.js';
import { maskQuestion } from './use-mask.js';
import type { Question } from './value-flow.js';

// ReLU and HardSwish give zero for many inputs. Activations that are negative there may be divisors, or decide by their sign.

/** Functions that the guard question names, and that accept zero. */
const ACCEPTS_ZERO = new Set(['Sqrt', 'Pow', 'Acosh']);
/** Depth so small that any bound above zero ends the search. */
const DEPTH = 1e-30;

/** Returns the questions whether zeros of a result reach a divisor or a logarithm, or its sign decides a mask. */
export function zeroQuestions(index: GraphIndex, operands: Operands, types: ElementTypes): Question[] {
  const guard = guardQuestion(index, operands, DEPTH);
  const mask = maskQuestion(operands, types);
  return [
    {
      ...guard,
      at(use, state) {
        const found = guard.at(use, state);
        if (typeof found !== 'string') return found;
        const isNegativePower = use.node.opType === 'Pow' && found.includes('divisor');
        if (ACCEPTS_ZERO.has(use.node.opType) && !isNegativePower) return undefined;
        return `its zeros reach ${use.node.opType}`;
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
