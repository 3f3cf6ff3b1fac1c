import type { OptionHint } from '../base/option-hint.js';
import type { Analysis } from '../onnx/analysis.js';
import type { Scope } from '../onnx/document.js';
import { depthOf } from './activation-kinds.js';
import type { Questions } from './load-questions.js';
import { MISH, type NewActivation } from './new-activation.js';
import { createOperands } from './operands.js';
import { arithmeticQuestion } from './use-arithmetic.js';
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

/** A verdict that forbids a swap, and the option that permits it. */
interface Forbidden extends UseVerdict {
  readonly purpose: Purpose;
  readonly option?: OptionHint | undefined;
}

/** Queries about the uses of activations. */
export interface Uses {
  /** Returns the purpose that forbids a swap, and the deciding node. */
  purpose(candidate: Candidate): Forbidden | undefined;
  /** Returns a doubt that permits the swap. */
  doubt(candidate: Candidate): UseVerdict | undefined;
}

/**
 * Creates the queries for a document and the activation to write. `questions` has the questions that a node of the document could
 * answer. Each question walks once through the values that the sites reach.
 */
export function createUses(
  { index, types, calls }: Analysis,
  questions: Questions,
  to: NewActivation = MISH,
): Uses {
  const operands = createOperands(index);
  const ask = (question: Question | undefined): Follower =>
    question === undefined ? () => undefined : createFollower(question, index, calls);
  const clampBefore = questions.clamp?.createClampBefore(index, operands, calls);
  const after = ask(questions.clamp?.clampQuestion(index, operands));
  const arithmetic = ask(arithmeticQuestion(types));
  const depth = to.depth ?? depthOf(to.name);
  const guards = new Map<number, Follower>();
  /** Returns the follower that finds operators for which values of this depth below zero are invalid. */
  const guardAt = (depth: number) => {
    const known = guards.get(depth) ?? ask(questions.guard?.(index, operands, depth));
    guards.set(depth, known);
    return known;
  };
  const mask = ask(questions.mask?.(operands, types));
  const quantized = ask(questions.quantized?.quantizedQuestion(operands));
  const doubtfulGuard = ask(questions.guard?.(index, operands, depth, true));
  const negative = ask(questions.negative?.(index, operands, to.label));
  const zeros = to.zeros?.questions(index, operands, types).map(ask) ?? [];
  const int8Option = questions.quantized?.createInt8Option(index, calls, to);
  const doubtfulScale = ask(questions.quantized?.quantizedQuestion(operands, true));
  return {
    purpose(site) {
      const { scope, x, y, kind } = site;
      const isRelu = kind === 'relu';
      const before = depthOf(kind);
      // A shifted activation guards too, such as ELU plus 1, unless the old values are invalid already.
      const isGuard = depth > before && (before === 0 || guardAt(before)(scope, y) === undefined);
      const found = (purpose: Purpose, verdict: UseVerdict | undefined) =>
        verdict && { ...verdict, purpose, option: int8Option?.(purpose, verdict, site) };
      return (
        found('arithmetic', arithmetic(scope, y)) ??
        (isGuard ? found('guard', guardAt(depth)(scope, y)) : undefined) ??
        found('quantized', quantized(scope, y)) ??
        (isRelu
          ? (found('clamp', after(scope, y) ?? clampBefore?.(scope, x)) ?? found('mask', mask(scope, y)))
          : undefined)
      );
    },
    doubt({ scope, y, kind }) {
      const losesSign = kind === 'relu' && depth > 0;
      const sign = losesSign ? doubtfulGuard(scope, y) : undefined;
      if (sign !== undefined) return { ...sign, why: `${sign.why}, perhaps` };
      const scale = doubtfulScale(scope, y);
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
