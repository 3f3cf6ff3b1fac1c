import { OnnxMishError } from '../../base/error.js';
import type { Harm } from './trial.js';

/** What a budget can limit. */
export const MEASURES = ['agreement', 'sqnr', 'cosine', 'max-abs', 'top1-drop'] as const;
export type Measure = (typeof MEASURES)[number];

/** One limit of a budget: `agreement>=0.99`. */
export interface Limit {
  readonly measure: Measure;
  readonly limit: number;
}

/** What a limit says to a measurement. */
export interface LimitVerdict extends Limit {
  /** Null where it could not be measured; the largest double stands for the SQNR of two that are the same. */
  readonly value: number | null;
  readonly kept: boolean;
}

interface Rule {
  readonly sense: '>=' | '<=';
  /** The limits that can be meant. */
  readonly range: readonly [least: number, most: number];
  readonly says: string;
  readonly value: (harm: Harm) => number | null;
}

const RULES: Readonly<Record<Measure, Rule>> = {
  agreement: {
    sense: '>=',
    range: [0, 1],
    says: 'a share from 0 to 1',
    value: ({ agreement }) => agreement,
  },
  sqnr: {
    sense: '>=',
    range: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
    says: 'decibels',
    value: ({ sqnr, maxAbs }) => (sqnr === null && maxAbs === 0 ? Number.MAX_VALUE : sqnr),
  },
  cosine: { sense: '>=', range: [-1, 1], says: 'a number from -1 to 1', value: ({ cosine }) => cosine },
  'max-abs': {
    sense: '<=',
    range: [0, Number.POSITIVE_INFINITY],
    says: 'a number from 0 up',
    value: ({ maxAbs }) => maxAbs,
  },
  'top1-drop': {
    sense: '<=',
    range: [-100, 100],
    says: 'percentage points',
    value: ({ top1Drop }) => top1Drop,
  },
};

/**
 * The budget that texts like `agreement>=0.99`, `sqnr>=30` or `top1-drop<=0.5` set. Throws `bad-usage`.
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
  if (texts.length === 0) throw bad('the budget is empty', 'Give one limit at the least: agreement>=0.99');
  return texts.map((text) => {
    const [, name = '', sense = '', number = ''] = /^\s*([^<>=]*?)\s*([<>=]+)\s*(.*?)\s*$/.exec(text) ?? [];
    if (sense === '') throw bad(`the limit '${text}' has no >= or <=`, "Write it as 'agreement>=0.99'");
    const measure = MEASURES.find((known) => known === name.replaceAll('_', '-'));
    if (measure === undefined) {
      throw bad(`there is no limit on '${name}'`, `Choose from ${MEASURES.map(example).join(', ')}`);
    }
    const rule = RULES[measure];
    if (sense !== rule.sense)
      throw bad(`'${text}' has the wrong direction`, `Write ${measure}${rule.sense}${number}`);
    const limit = number === '' ? Number.NaN : Number(number);
    const [least, most] = rule.range;
    if (Number.isFinite(limit) && limit >= least && limit <= most) return { measure, limit };
    throw bad(`the limit '${text}' needs ${rule.says}`, `Write ${example(measure)}`);
  });
}

/**
 * A limit in the words of `parseBudget`.
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
 * Holds a measurement against a budget, limit by limit. What could not be measured has not been kept, and neither has
 * anything where an output is NaN, or infinite where the original's is not.
 */
export function judgeHarm(limits: readonly Limit[], harm: Harm): LimitVerdict[] {
  const sound = harm.broken === 0 && harm.problem === null;
  return limits.map(({ measure, limit }) => {
    const { sense, value: read } = RULES[measure];
    const value = read(harm);
    const within = value !== null && (sense === '>=' ? value >= limit : value <= limit);
    return { measure, limit, value, kept: sound && within };
  });
}
