import { OnnxMishError } from '../base/error.js';
import { top1Drop } from '../metrics/accuracy.js';
import { hasNumbers } from '../metrics/drift.js';
import {
  isValidLimit,
  isWithinLimit,
  LIMITED_METRICS,
  type LimitedMetric,
  parseLimit,
  sqnrForLimit,
} from '../metrics/limits.js';
import type { ProviderRow, Verdict } from './report-schema.js';
import { toleranceFor } from './tolerance.js';

/** Limits of a validation. Shares are 0 to 1, drops in percentage points, errors absolute, SQNR in dB. */
export interface Thresholds {
  readonly maxAbs?: number | undefined;
  readonly minCosine?: number | undefined;
  readonly minSqnr?: number | undefined;
  /** Minimum share of rows whose highest class is the same in both models. */
  readonly minAgreement?: number | undefined;
  /** Minimum top-1 accuracy of the swapped model by the labels. */
  readonly minTop1?: number | undefined;
  /** Maximum of the original's top-1 accuracy minus the swapped model's, in percentage points. */
  readonly maxTop1Drop?: number | undefined;
  readonly maxLatencyRatio?: number | undefined;
  /** Maximum error of a kernel, divided by the larger of 1 and the exact value; default: `toleranceFor` the provider. */
  readonly maxKernelError?: number | undefined;
  /**
   * Maximum difference between an output of the swapped model and the same output on the CPU, divided by the output's
   * largest value in either model; of labels, indices and masks the share that differs, if that is less. Default: `toleranceFor` the
   * provider.
   */
  readonly maxParity?: number | undefined;
}

type Measured = Pick<ProviderRow, 'drift' | 'accuracy' | 'latency' | 'kernel' | 'parity'>;

/** The metric of each threshold, which gives direction, unit and range. */
const METRICS = {
  maxAbs: 'max-abs',
  minCosine: 'cosine',
  minSqnr: 'sqnr',
  minAgreement: 'agreement',
  minTop1: 'top1',
  maxTop1Drop: 'top1-drop',
  maxLatencyRatio: 'latency-ratio',
  maxKernelError: 'kernel-error',
  maxParity: 'parity',
} as const satisfies Readonly<Record<keyof Thresholds, LimitedMetric>>;

const THRESHOLDS = Object.keys(METRICS) as (keyof Thresholds)[];

interface Rule {
  readonly name: keyof Thresholds;
  /** Returns the values that the limit applies to; null for a value that could not be measured. */
  readonly values: (row: Measured) => readonly (number | null)[];
}

/** Thresholds that a user set, in the order of their verdicts; `maxParity` is checked with the default's code. */
const RULES: readonly Rule[] = [
  { name: 'maxAbs', values: ({ drift }) => drift.filter(hasNumbers).map(({ maxAbs }) => maxAbs) },
  { name: 'minCosine', values: ({ drift }) => drift.filter(hasNumbers).map(({ cosine }) => cosine) },
  { name: 'minSqnr', values: ({ drift }) => drift.filter(hasNumbers).map(sqnrForLimit) },
  { name: 'minAgreement', values: ({ drift }) => drift.flatMap(({ top1 }) => (top1 === null ? [] : [top1])) },
  { name: 'minTop1', values: ({ accuracy }) => (accuracy === null ? [] : [accuracy.swapped.top1]) },
  {
    name: 'maxTop1Drop',
    values: ({ accuracy }) => (accuracy === null ? [] : [top1Drop(accuracy.original, accuracy.swapped)]),
  },
  { name: 'maxLatencyRatio', values: ({ latency }) => (latency === null ? [] : [latency.ratio.value]) },
  {
    name: 'maxKernelError',
    values: ({ kernel }) => kernel.map(({ maxScaled, broken }) => (broken > 0 ? null : maxScaled)),
  },
];

/**
 * Returns thresholds that also include limits such as `sqnr>=30`. The stricter of two limits of a metric remains. Throws
 * `bad-usage`.
 */
export function withLimits(thresholds: Thresholds, texts: readonly string[]): Thresholds {
  const result: { -readonly [Name in keyof Thresholds]: Thresholds[Name] } = { ...thresholds };
  for (const text of texts) {
    const { measure, limit } = parseLimit(text, Object.values(METRICS));
    for (const name of THRESHOLDS) {
      if (METRICS[name] !== measure) continue;
      const other = result[name];
      if (other === undefined || isWithinLimit({ measure, limit: other }, limit)) result[name] = limit;
    }
  }
  return result;
}

/** A smaller limit in percentage points is probably meant as a share, the unit of onnx-mish/report@1. */
const MIN_PLAUSIBLE_POINTS = 0.02;

/** Returns a note on `maxTop1Drop` if its unit was probably mistaken. */
export function notesOnThresholds({ maxTop1Drop }: Thresholds): string[] {
  if (maxTop1Drop === undefined || maxTop1Drop <= 0 || maxTop1Drop >= MIN_PLAUSIBLE_POINTS) return [];
  const points = Number((100 * maxTop1Drop).toPrecision(12));
  return [
    `maxTop1Drop is in percentage points: ${maxTop1Drop} is ${maxTop1Drop} points; for the share ${maxTop1Drop}, give ${points}`,
  ];
}

/** Throws `bad-usage` for a limit that is not finite or outside its metric's range. */
export function checkThresholds(thresholds: Thresholds): void {
  for (const name of THRESHOLDS) {
    const [measure, limit] = [METRICS[name], thresholds[name]];
    if (limit === undefined || isValidLimit({ measure, limit })) continue;
    throw new OnnxMishError('bad-usage', `the threshold ${name} is ${limit}`, {
      fix: `Give ${LIMITED_METRICS[measure].unit}`,
    });
  }
}

/**
 * Compares a provider's figures with the limits. A figure that could not be measured fails its limit. Outputs that
 * are not finite or cannot be compared always fail, as `maxBroken`. Kernels and parity with the CPU are always compared:
 * with the limit that a user set, else with `toleranceFor` the provider and the element type. An original that is wrong does not fail
 * the validation: the swapped model may be right.
 */
export function judge(provider: string, row: Measured, thresholds: Thresholds, elemType = 'f32'): Verdict[] {
  const requested = RULES.flatMap(({ name, values: valuesOf }): Verdict[] => {
    const limit = thresholds[name];
    if (limit === undefined) return [];
    const measured = valuesOf(row);
    const values = measured.filter((value) => value !== null);
    const measure = METRICS[name];
    const extreme = LIMITED_METRICS[measure].direction === '<=' ? Math.max : Math.min;
    const worst = values.length === 0 ? null : extreme(...values);
    const complete = measured.length > 0 && values.length === measured.length;
    const kept = worst !== null && isWithinLimit({ measure, limit }, worst);
    const passed = complete && kept;
    return [{ provider, threshold: name, limit, value: worst, passed, binding: true, requested: true }];
  });
  return [
    ...brokenOutputs(provider, row),
    ...toleranceVerdicts(provider, row, thresholds, elemType),
    ...requested,
  ];
}

/**
 * Returns, for each output of a model, its largest difference from the CPU, divided by the output's largest value in
 * either model. A single model's largest value may be near 0 by chance. For labels, indices and masks, returns the share of elements that
 * differ, if that is less: where two scores are nearly equal, rounding decides the class of a pixel. Null for an output that could not
 * be compared.
 */
export function parityShare(
  parity: NonNullable<ProviderRow['parity']>,
  which: 'original' | 'swapped',
): (number | null)[] {
  const scales = new Map<string, number>();
  for (const { output, scale } of [...parity.original, ...parity.swapped]) {
    scales.set(output, Math.max(scales.get(output) ?? 0, scale ?? 0));
  }
  return parity[which].map(({ output, maxAbs, top1, areLabels }) => {
    if (maxAbs === null || maxAbs === 0) return maxAbs;
    const ofElements = areLabels && top1 !== null ? 1 - top1 : Number.MAX_VALUE;
    return Math.min(ofElements, maxAbs / (scales.get(output) ?? 0));
  });
}

function toleranceVerdicts(
  provider: string,
  row: Measured,
  thresholds: Thresholds,
  elemType: string,
): Verdict[] {
  const { kernel, parity } = row;
  const tolerance = toleranceFor(provider, elemType);
  const worst = (values: readonly (number | null)[]) =>
    values.every((value) => value !== null) ? Math.max(0, ...values.map(Number)) : null;
  const verdict = (
    threshold: string,
    limit: number,
    value: number | null,
    more?: Partial<Verdict>,
  ): Verdict => {
    const passed = value !== null && value <= limit;
    return { provider, threshold, limit, value, passed, binding: true, requested: false, ...more };
  };
  const verdicts: Verdict[] = [];
  if (parity !== null) {
    const limit = thresholds.maxParity ?? tolerance.parity;
    verdicts.push(
      verdict('maxParity', limit, worst(parityShare(parity, 'swapped')), {
        requested: thresholds.maxParity !== undefined,
      }),
      verdict('maxOriginalParity', limit, worst(parityShare(parity, 'original')), { binding: false }),
    );
  }
  if (thresholds.maxKernelError !== undefined) return verdicts;
  // Each element type and each bound has its own limit, and so its own verdict.
  const kinds = kernel.map(({ elemType: type, bound }) => ({ type, bound: bound ?? 0 }));
  for (const { type, bound } of new Map(kinds.map((kind) => [`${kind.type} ${kind.bound}`, kind])).values()) {
    const measured = kernel.filter(
      (sweep) => sweep.elemType === type && (sweep.bound ?? 0) === bound && sweep.form !== null,
    );
    if (measured.length === 0 || measured.some(({ problem }) => problem !== null)) continue; // the table shows the problem
    const value = worst(measured.map(({ maxScaled, broken }) => (broken > 0 ? null : maxScaled)));
    verdicts.push(verdict('maxKernelError', bound + toleranceFor(provider, type).kernel, value));
  }
  return verdicts;
}

function brokenOutputs(provider: string, { drift }: Measured): Verdict[] {
  const comparable = drift.every(({ problem }) => problem === null);
  const broken = drift.reduce((sum, output) => sum + output.broken, 0);
  if (comparable && broken === 0) return [];
  const value = comparable ? broken : null;
  return [
    { provider, threshold: 'maxBroken', limit: 0, value, passed: false, binding: true, requested: false },
  ];
}
