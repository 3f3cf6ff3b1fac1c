import { OnnxMishError } from '../../base/error.js';
import {
  formatLimit,
  isWithinLimit,
  type LimitedMetric,
  type MetricLimit,
  parseLimit,
  sqnrForLimit,
} from '../../metrics/limits.js';
import type { Degradation } from './degradation.js';

/** Figures that a budget can limit. */
export const MEASURES = [
  'agreement',
  'sqnr',
  'cosine',
  'max-abs',
  'top1-drop',
] as const satisfies readonly LimitedMetric[];
export type Measure = (typeof MEASURES)[number];

/** A limit of a budget, such as `agreement>=0.99`. */
export interface Limit extends MetricLimit<Measure> {}

/** A measured value and whether the value is within its limit. */
export interface LimitVerdict extends Limit {
  /** The measured value; null if it could not be measured, the largest double for the SQNR of identical outputs. */
  readonly value: number | null;
  /** Lower end of the 95 % interval of a share, where it decides. */
  readonly low?: number | undefined;
  readonly kept: boolean;
}

const VALUES: Readonly<Record<Measure, (harm: Degradation) => number | null>> = {
  agreement: ({ agreement }) => agreement,
  sqnr: sqnrForLimit,
  cosine: ({ cosine }) => cosine,
  'max-abs': ({ maxAbs }) => maxAbs,
  'top1-drop': ({ top1Drop }) => top1Drop,
};

/**
 * Parses limits such as `agreement>=0.99`, `sqnr>=30` or `top1-drop<=0.5`. Throws `bad-usage`.
 *
 * @example
 * import { swapWithinBudget, parseBudget } from 'onnx-mish/calibrate';
 * import { seededFeeds } from 'onnx-mish/validate';
 *
 * const budget = parseBudget(['sqnr>=30']);
 * await swapWithinBudget('model.onnx', { budget, data: (inputs) => seededFeeds(inputs, { count: 64 }) });
 */
export function parseBudget(texts: readonly string[]): Limit[] {
  if (texts.length > 0) return texts.map((text) => parseLimit(text, MEASURES));
  throw new OnnxMishError('bad-usage', 'the budget is empty', {
    fix: 'Give at least one limit, such as agreement>=0.99',
  });
}

/**
 * Formats a limit as `parseBudget` reads it.
 *
 * @example
 * import { limitText, parseBudget } from 'onnx-mish/calibrate';
 *
 * parseBudget(['agreement>=0.99', 'sqnr>=30']).map(limitText);
 */
export function limitText(limit: Limit): string {
  return formatLimit(limit);
}

/**
 * Compares a measurement with each limit of a budget. A value that could not be measured exceeds its limit. Every limit
 * is exceeded if an output is NaN, or infinite where the original is not.
 */
export function limitVerdicts(limits: readonly Limit[], harm: Degradation): LimitVerdict[] {
  const sound = harm.broken === 0 && harm.problem === null;
  return limits.map(({ measure, limit }) => {
    const value = VALUES[measure](harm);
    const within = value !== null && isWithinLimit({ measure, limit }, value);
    return { measure, limit, value, kept: sound && within };
  });
}
