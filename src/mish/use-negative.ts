import type { GraphIndex } from '../onnx/graph-index.js';
import { boundsOfClip, isEven, type Operands } from './operands.js';
import { movesValues, wordSet } from './use-moves.js';
import type { Question } from './value-flow.js';

/** Operators that square values, or cut them off. */
const DECIDES = wordSet('Mul Pow Abs Clip Max');

/** Asks whether the negative values of the new activation are squared or cut off. The answer is a doubt, not a reason to skip. */
export function negativeQuestion(index: GraphIndex, operands: Operands, label: string): Question {
  const lost = `${label}’s negative values are lost in`;
  return {
    start: 1,
    at(use, state) {
      const { node, slot, scope } = use;
      const { opType } = node;
      if (node.domain !== '') return undefined;
      if (movesValues(use)) return state;
      if (!DECIDES.has(opType)) return undefined;
      const { inputs } = node;
      const other = inputs[1 - slot];
      const value = operands.constant(scope, other)?.value;
      if ((opType === 'Mul' && other === inputs[slot]) || (opType === 'Pow' && slot === 0 && isEven(value))) {
        // A norm or a variance sums squares.
        const next = index.uses(scope, node.outputs[0] ?? '');
        const isNorm = next.every((to) => to.kind === 'input' && to.node.opType.startsWith('Reduce'));
        return isNorm ? undefined : `${lost} a square`;
      }
      if (opType === 'Abs') return `${lost} an absolute value`;
      const least = opType === 'Clip' ? boundsOfClip(node, scope, operands).least : value;
      const isBound = (opType === 'Max' && inputs.length === 2) || (opType === 'Clip' && slot === 0);
      return isBound && least !== undefined && least >= 0 ? `${lost} a bound` : undefined;
    },
  };
}
