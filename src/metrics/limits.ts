import { OnnxMishError } from '../base/error.js';

/** Direction of a limit: `>=` for a smallest allowed value, `<=` for a largest. */
export type Direction = '>=' | '<=';

/** Facts about limits of a metric. */
interface LimitRule {
  readonly direction: Direction;
  /** Smallest and largest valid limit. */
  readonly range: readonly [least: number, most: number];
  /** Unit and range, as the end of "the limit needs …". */
  readonly unit: string;
  /** Limit for the example in an error. */
  readonly example: number;
}

const { POSITIVE_INFINITY, NEGATIVE_INFINITY } = Number;
const SHARE = { range: [0, 1], unit: 'a share from 0 to 1' } as const;
const AT_LEAST_0 = { range: [0, POSITIVE_INFINITY], unit: 'a finite number of at least 0' } as const;

/** Metrics that a budget or a validation can limit. */
export const LIMITED_METRICS = {
  agreement: { direction: '>=', ...SHARE, example: 0.99 },
  sqnr: {
    direction: '>=',
    range: [NEGATIVE_INFINITY, POSITIVE_INFINITY],
    unit: 'a finite number of decibels',
    example: 30,
  },
  cosine: { direction: '>=', range: [-1, 1], unit: 'a number from -1 to 1', example: 0.99 },
  'max-abs': { direction: '<=', ...AT_LEAST_0, example: 0.01 },
  'top1-drop': {
    direction: '<=',
    range: [-100, 100],
    unit: 'percentage points from -100 to 100',
    example: 0.5,
  },
  top1: { direction: '>=', ...SHARE, example: 0.9 },
  'latency-ratio': { direction: '<=', ...AT_LEAST_0, example: 1.5 },
  'kernel-error': { direction: '<=', ...AT_LEAST_0, example: 0.0001 },
  parity: { direction: '<=', ...AT_LEAST_0, example: 0.001 },
} as const satisfies Readonly<Record<string, LimitRule>>;

export type LimitedMetric = keyof typeof LIMITED_METRICS;

/** A metric and its limit; the metric gives the direction and the unit. */
export interface MetricLimit<Name extends LimitedMetric = LimitedMetric> {
  readonly measure: Name;
  readonly limit: number;
}

/** Parses a limit of any of the metrics, such as `agreement>=0.99` or `top1-drop<=0.5`. Throws `bad-usage`. */
export function parseLimit<Name extends LimitedMetric>(
  text: string,
  metrics: readonly Name[],
): MetricLimit<Name> {
  const bad = (what: string, fix: string) => new OnnxMishError('bad-usage', what, { fix });
  const [, name = '', sign = '', number = ''] = /^\s*([^<>=]*?)\s*([<>=]+)\s*(.*?)\s*$/.exec(text) ?? [];
  if (sign === '') throw bad(`the limit '${text}' has no >= or <=`, 'Write it as "agreement>=0.99"');
  const measure = metrics.find((metric) => metric === name.replaceAll('_', '-'));
  if (measure === undefined)
    throw bad(`'${name}' is not a measure`, `Choose from ${metrics.map(example).join(', ')}`);
  const { direction, unit } = LIMITED_METRICS[measure];
  if (sign !== direction)
    throw bad(`'${text}' has the wrong direction`, `Write ${measure}${direction}${number}`);
  const limit = number === '' ? Number.NaN : Number(number);
  if (isValidLimit({ measure, limit })) return { measure, limit };
  throw bad(`the limit '${text}' needs ${unit}`, `Write ${example(measure)}`);
}

/** Formats a limit as `parseLimit` reads it. */
export function formatLimit({ measure, limit }: MetricLimit): string {
  return `${measure}${LIMITED_METRICS[measure].direction}${limit}`;
}

/** Returns whether a limit is finite and in its metric's range. */
export function isValidLimit({ measure, limit }: MetricLimit): boolean {
  const [least, most] = LIMITED_METRICS[measure].range;
  return Number.isFinite(limit) && limit >= least && limit <= most;
}

/** Returns whether a value is within a limit; a value equal to the limit is. */
export function isWithinLimit({ measure, limit }: MetricLimit, value: number): boolean {
  return LIMITED_METRICS[measure].direction === '>=' ? value >= limit : value <= limit;
}

/** Returns the SQNR to compare with a limit: the largest double for identical outputs, null if it is unknown. */
export function sqnrForLimit({
  sqnr,
  maxAbs,
}: {
  sqnr: number | null;
  maxAbs: number | null;
}): number | null {
  return sqnr === null && maxAbs === 0 ? Number.MAX_VALUE : sqnr;
}

function example(measure: LimitedMetric): string {
  return formatLimit({ measure, limit: LIMITED_METRICS[measure].example });
}
