import { attribute } from '../onnx/document.js';
import type { ElementTypes } from '../onnx/element-types.js';
import { typeName } from '../onnx/types.js';
import { CONTAINERS, MOVES, wordSet } from './use-moves.js';
import type { InputUse, Question } from './value-flow.js';

/** Returns whether an element type is one of integers. */
const isInteger = (elemType: number | undefined) => /^(u|i|u?int)\d/.test(typeName(elemType));

/** Operators of arithmetic on a few numbers. Layers with weights are absent: their output is another signal. */
const ARITHMETIC = new Set([
  ...MOVES,
  ...CONTAINERS,
  ...wordSet(`Abs Add Cast CastLike Ceil Clip Concat Div Exp Floor Log Max Mean Min Mod Mul Neg Pow Reciprocal Relu ReduceMax
    ReduceMin ReduceProd ReduceSum Round Sign Sqrt Sub Sum Equal Greater GreaterOrEqual Less LessOrEqual And Or Not Where`),
]);

/** Inputs that are shapes, sizes or indices, or select indices, although their type may be float or bool. */
const SIZES: Readonly<Record<string, readonly number[]>> = {
  Compress: [1],
  NonZero: [0],
  OneHot: [0, 1],
  Range: [0, 1, 2],
  Resize: [1, 2, 3],
  Upsample: [1],
};

const CAST = 'its result is cast to an integer';
const CONDITION = 'its result is the condition of a Loop';

/**
 * Asks whether a result is a number for calculation, not an activation: through arithmetic alone it reaches a cast to an
 * integer, a shape or index, a trip count or a condition.
 */
export function arithmeticQuestion(types: ElementTypes): Question {
  const judge = ({ node, slot, scope }: InputUse): string | undefined => {
    const { opType } = node;
    if (opType === 'Cast' && isInteger(attribute(node, 'to')?.i)) return CAST;
    if (opType === 'CastLike' && slot === 0 && isInteger(types(scope, node.inputs[1] ?? ''))) return CAST;
    if (opType === 'If') return 'its result decides an If';
    if (opType === 'Loop' && slot === 0) return 'its result is the trip count of a Loop';
    if (opType === 'Loop' && slot === 1) return CONDITION;
    if (Object.hasOwn(SIZES, opType) && SIZES[opType]?.includes(slot))
      return `its result is a size or index of ${opType}`;
    return undefined;
  };
  return {
    start: 1,
    at(use, state) {
      if (use.node.domain !== '') return undefined;
      return judge(use) ?? (ARITHMETIC.has(use.node.opType) ? state : undefined);
    },
    condition: CONDITION,
  };
}
