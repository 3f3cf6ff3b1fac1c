import { OnnxMishError } from '../../base/error.js';
import type { Degradation } from './trial.js';

/** Figures that a budget can limit. */
export const MEASURES = ['agreement', 'sqnr', 'cosine', 'max-abs', 'top1-drop'] as const;
export type Measure = (typeof MEASURES)[number];

/** A limit of a budget, such as `agreement>=0.99`. */
export interface Limit {
  readonly measure: Measure;
  readonly limit: number;
}

/** A measured value and whether the value is within its limit. */
export interface LimitVerdict extends Limit {
  /** The measured value; null if it could not be measured, the largest double for the SQNR of identical outputs. */
  readonly value: number | null;
  readonly kept: boolean;
}

interface Rule {
  readonly sense: '>=' | '<=';
  /** Smallest and largest valid limit. */
  readonly range: readonly [least: number, most: number];
  readonly unit: string;
  readonly value: (harm: Degradation) => number | null;
}

const RULES: Readonly<Record<Measure, Rule>> = {
  agreement: {
    sense: '>=',
    range: [0, 1],
    unit: 'a share from 0 to 1',
    value: ({ agreement }) => agreement,
  },
  sqnr: {
    sense: '>=',
    range: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
    unit: 'decibels',
    value: ({ sqnr, maxAbs }) => (sqnr === null && maxAbs === 0 ? Number.MAX_VALUE : sqnr),
  },
  cosine: { sense: '>=', range: [-1, 1], unit: 'a number from -1 to 1', value: ({ cosine }) => cosine },
  'max-abs': {
    sense: '<=',
    range: [0, Number.POSITIVE_INFINITY],
    unit: 'a number of at least 0',
    value: ({ maxAbs }) => maxAbs,
  },
  'top1-drop': {
    sense: '<=',
    range: [-100, 100],
    unit: 'percentage points',
    value: ({ top1Drop }) => top1Drop,
  },
};

/**
 * Parses limits such as `agreement>=0.99`, `sqnr>=30` or `top1-drop<=0.5`. Throws `bad-usage`.
 *
 * @example
 * import { keepWithin, parseBudget } from 'onnx-mish/calibrate';
 * import { seededFeeds } from 'onnx-mish/validate';
 *
 * const budget = parseBudget(['sqnr>=30']);
 * await keepWithin('model.onnx', { budget, data: (inputs) => seededFeeds(inputs, { count: 64 }) });
 */
export function parseBudget(texts: readonly string[]): Limit[] {
  const bad = (what: string, fix: string) => new OnnxMishError('bad-usage', what, { fix });
  if (texts.length === 0)
    throw bad('the budget is empty', 'Give at least one limit, such as agreement>=0.99');
  return texts.map((text) => {
    const [, name = '', sense = '', number = ''] = /^\s*([^<>=]*?)\s*([<>=]+)\s*(.*?)\s*$/.exec(text) ?? [];
    if (sense === '') throw bad(`the limit '${text}' has no >= or <=`, "Write it as 'agreement>=0.99'");
    const measure = MEASURES.find((known) => known === name.replaceAll('_', '-'));
    if (measure === undefined) {
      throw bad(`'${name}' is not a measure`, `Choose from ${MEASURES.map(example).join(', ')}`);
    }
    const rule = RULES[measure];
    if (sense !== rule.sense)
      throw bad(`'${text}' has the wrong direction`, `Write ${measure}${rule.sense}${number}`);
    const limit = number === '' ? Number.NaN : Number(number);
    const [least, most] = rule.range;
    if (Number.isFinite(limit) && limit >= least && limit <= most) return { measure, limit };
    throw bad(`the limit '${text}' needs ${rule.unit}`, `Write ${example(measure)}`);
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
export function limitText({ measure, limit }: Limit): string {
  return `${measure}${RULES[measure].sense}${limit}`;
}

function example(measure: Measure): string {
  const limits: Record<Measure, number> = {
    agreement: 0.99,
    sqnr: 30,
    cosine: 0.99,
    'max-abs': 0.01,
    'top1-drop': 0.5,
  };
  return limitText({ measure, limit: limits[measure] });
}

/**
 * Compares a measurement with each limit of a budget. A value that could not be measured exceeds its limit. Every limit
 * is exceeded if an output is NaN, or infinite where the original is not.
 */
export function limitVerdicts(limits: readonly Limit[], harm: Degradation): LimitVerdict[] {
  const sound = harm.broken === 0 && harm.problem === null;
  return limits.map(({ measure, limit }) => {
    const { sense, value: read } = RULES[measure];
    const value = read(harm);
    const within = value !== null && (sense === '>=' ? value >= limit : value <= limit);
    return { measure, limit, value, kept: sound && within };
  });
}
