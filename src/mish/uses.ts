import type { Analysis } from '../onnx/analysis.js';
import type { Scope } from '../onnx/document.js';
import { createOperands } from './operands.js';
import { arithmeticQuestion } from './use-arithmetic.js';
import { clampQuestion, createClampBefore } from './use-clamp.js';
import { guardQuestion } from './use-guard.js';
import { maskQuestion } from './use-mask.js';
import { negativeQuestion } from './use-negative.js';
import { quantizedQuestion } from './use-quantized.js';
import { createFollower, type Question, type UseVerdict } from './value-flow.js';

/** Use of a result that shows that a node is not an activation. */
export type Purpose = 'arithmetic' | 'guard' | 'clamp' | 'mask' | 'quantized';

/** An activation to examine: its input and output, and whether its results are never negative. */
interface Candidate {
  readonly scope: Scope;
  readonly x: string;
  readonly y: string;
  readonly isRelu: boolean;
}

/** Queries about the uses of activations. */
export interface Uses {
  /** Returns the purpose that forbids a swap, and the deciding node. */
  purpose(candidate: Candidate): (UseVerdict & { readonly purpose: Purpose }) | undefined;
  /** Returns a doubt that permits the swap. */
  doubt(candidate: Candidate): UseVerdict | undefined;
}

/** Creates the queries for a document. Each question walks the values that sites reach once for all sites. */
export function createUses({ index, types, calls }: Analysis): Uses {
  const operands = createOperands(index);
  const follower = (question: Question) => createFollower(question, index, calls);
  const before = createClampBefore(index, operands, calls);
  const after = follower(clampQuestion(index, operands));
  const arithmetic = follower(arithmeticQuestion(types));
  const guard = follower(guardQuestion(index, operands));
  const mask = follower(maskQuestion(operands, types));
  const quantized = follower(quantizedQuestion(operands));
  const doubtfulGuard = follower(guardQuestion(index, operands, true));
  const negative = follower(negativeQuestion(index, operands));
  const doubtfulScale = follower(quantizedQuestion(operands, true));
  return {
    purpose({ scope, x, y, isRelu }) {
      const found = (purpose: Purpose, verdict: UseVerdict | undefined) => verdict && { ...verdict, purpose };
      return (
        found('arithmetic', arithmetic(scope, y)) ??
        (isRelu ? found('guard', guard(scope, y)) : undefined) ??
        found('quantized', quantized(scope, y)) ??
        (isRelu
          ? (found('clamp', after(scope, y) ?? before(scope, x)) ?? found('mask', mask(scope, y)))
          : undefined)
      );
    },
    doubt({ scope, y, isRelu }) {
      const sign = isRelu ? doubtfulGuard(scope, y) : undefined;
      if (sign !== undefined) return { ...sign, why: `${sign.why}, perhaps` };
      const scale = doubtfulScale(scope, y);
      if (scale !== undefined) return { ...scale, why: `joined with others, ${scale.why}` };
      return isRelu ? negative(scope, y) : undefined;
    },
  };
}
