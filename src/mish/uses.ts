import type { Analysis } from '../onnx/analysis.js';
import type { Scope } from '../onnx/document.js';
import { KINDS } from './activation-kinds.js';
import type { Questions } from './load-questions.js';
import { MISH, type NewActivation } from './new-activation.js';
import { createOperands } from './operands.js';
import { arithmeticQuestion } from './use-arithmetic.js';
import { guardQuestion } from './use-guard.js';
import { negativeQuestion } from './use-negative.js';
import { createFollower, type Follower, type Question, type UseVerdict } from './value-flow.js';

/** Use of a result that shows that a node is not an activation. */
export type Purpose = 'arithmetic' | 'guard' | 'clamp' | 'mask' | 'quantized';

/** An activation to examine: its kind, input and output. */
interface Candidate {
  readonly scope: Scope;
  readonly x: string;
  readonly y: string;
  readonly kind: string;
}

/** Returns how far below zero the values of a kind are. */
export const depthOf = (kind: string) => KINDS.find(({ name }) => name === kind)?.depth ?? 0;

/** Queries about the uses of activations. */
export interface Uses {
  /** Returns the purpose that forbids a swap, and the deciding node. */
  purpose(candidate: Candidate): (UseVerdict & { readonly purpose: Purpose }) | undefined;
  /** Returns a doubt that permits the swap. */
  doubt(candidate: Candidate): UseVerdict | undefined;
}

/**
 * Creates the queries for a document and the activation to write. `questions` has those that a node of it could answer. Each question walks the values that sites reach once for
 * all sites.
 */
export function createUses(
  { index, types, calls }: Analysis,
  questions: Questions,
  to: NewActivation = MISH,
): Uses {
  const operands = createOperands(index);
  const follower = (question: Question) => createFollower(question, index, calls);
  const clampBefore = questions.clamp?.createClampBefore(index, operands, calls);
  const after = questions.clamp && follower(questions.clamp.clampQuestion(index, operands));
  const arithmetic = follower(arithmeticQuestion(types));
  const depth = to.depth ?? depthOf(to.name);
  const guards = new Map<number, Follower>();
  /** Finds what values of a depth below zero make invalid. */
  const guardAt = (depth: number) => {
    const known = guards.get(depth) ?? follower(guardQuestion(index, operands, depth));
    guards.set(depth, known);
    return known;
  };
  const mask = questions.mask && follower(questions.mask(operands, types));
  const quantized = questions.quantized && follower(questions.quantized(operands));
  const doubtfulGuard = follower(guardQuestion(index, operands, depth, true));
  const negative = follower(negativeQuestion(index, operands, to.label));
  const zeros = to.zeros?.questions(index, operands, types).map(follower) ?? [];
  const doubtfulScale = questions.quantized && follower(questions.quantized(operands, true));
  return {
    purpose({ scope, x, y, kind }) {
      const isRelu = kind === 'relu';
      const before = depthOf(kind);
      // A shifted activation guards too, such as ELU plus 1, unless the old values are invalid already.
      const isGuard = depth > before && (before === 0 || guardAt(before)(scope, y) === undefined);
      const found = (purpose: Purpose, verdict: UseVerdict | undefined) => verdict && { ...verdict, purpose };
      return (
        found('arithmetic', arithmetic(scope, y)) ??
        (isGuard ? found('guard', guardAt(depth)(scope, y)) : undefined) ??
        found('quantized', quantized?.(scope, y)) ??
        (isRelu
          ? (found('clamp', after?.(scope, y) ?? clampBefore?.(scope, x)) ?? found('mask', mask?.(scope, y)))
          : undefined)
      );
    },
    doubt({ scope, y, kind }) {
      const losesSign = kind === 'relu' && depth > 0;
      const sign = losesSign ? doubtfulGuard(scope, y) : undefined;
      if (sign !== undefined) return { ...sign, why: `${sign.why}, perhaps` };
      const scale = doubtfulScale?.(scope, y);
      if (scale !== undefined) return { ...scale, why: `joined with others, ${scale.why}` };
      if (losesSign) return negative(scope, y);
      for (const zero of depthOf(kind) > 0 && !to.zeros?.kinds.includes(kind) ? zeros : []) {
        const verdict = zero(scope, y);
        if (verdict !== undefined) return verdict;
      }
      return undefined;
    },
  };
}
