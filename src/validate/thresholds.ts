import { OnnxMishError } from '../base/error.js';
import { top1Drop } from '../metrics/accuracy.js';
import type { ProviderRow, Verdict } from './report-schema.js';
import { toleranceFor } from './tolerance.js';

/** Limits that a validation has to keep. Shares are 0 to 1, drops in percentage points, errors absolute, SQNR in dB. */
export interface Thresholds {
  readonly maxAbs?: number | undefined;
  readonly minCosine?: number | undefined;
  readonly minSqnr?: number | undefined;
  /** Share of rows whose highest class is the original's. */
  readonly minAgreement?: number | undefined;
  /** Labelled accuracy of the swapped model. */
  readonly minTop1?: number | undefined;
  /** Labelled accuracy of the original minus that of the swapped model, in percentage points. */
  readonly maxTop1Drop?: number | undefined;
  readonly maxLatencyRatio?: number | undefined;
  /** Largest absolute error of a kernel. */
  readonly maxKernelError?: number | undefined;
  /**
   * Largest difference of any output of the swapped model from the same on the CPU, as a share of the largest value
   * that either model gives there; `toleranceFor` the provider unless given.
   */
  readonly maxParity?: number | undefined;
}

type Measured = Pick<ProviderRow, 'drift' | 'accuracy' | 'latency' | 'kernel' | 'parity'>;

interface Rule {
  readonly name: keyof Thresholds;
  readonly sense: 'max' | 'min';
  /** The values that must keep the limit; null for one that could not be measured. */
  readonly values: (row: Measured) => readonly (number | null)[];
}

const infiniteIfExact = (sqnr: number | null, maxAbs: number | null) =>
  sqnr === null && maxAbs === 0 ? Number.MAX_VALUE : sqnr;

const RULES: readonly Rule[] = [
  { name: 'maxAbs', sense: 'max', values: ({ drift }) => drift.map(({ maxAbs }) => maxAbs) },
  { name: 'minCosine', sense: 'min', values: ({ drift }) => drift.map(({ cosine }) => cosine) },
  {
    name: 'minSqnr',
    sense: 'min',
    values: ({ drift }) => drift.map(({ sqnr, maxAbs }) => infiniteIfExact(sqnr, maxAbs)),
  },
  {
    name: 'minAgreement',
    sense: 'min',
    values: ({ drift }) => drift.flatMap(({ top1 }) => (top1 === null ? [] : [top1])),
  },
  {
    name: 'minTop1',
    sense: 'min',
    values: ({ accuracy }) => (accuracy === null ? [] : [accuracy.swapped.top1]),
  },
  {
    name: 'maxTop1Drop',
    sense: 'max',
    values: ({ accuracy }) => (accuracy === null ? [] : [top1Drop(accuracy.original, accuracy.swapped)]),
  },
  {
    name: 'maxLatencyRatio',
    sense: 'max',
    values: ({ latency }) => (latency === null ? [] : [latency.ratio.value]),
  },
  {
    name: 'maxKernelError',
    sense: 'max',
    values: ({ kernel }) => kernel.map(({ maxAbs, broken }) => (broken > 0 ? null : maxAbs)),
  },
];

/** Below this, a limit in points was probably meant as the share that it was up to onnx-mish/report@1. */
const PROBABLY_A_SHARE = 0.02;

/** What a reader of a report has to know about the limits that were given. */
export function notesOnThresholds({ maxTop1Drop }: Thresholds): string[] {
  if (maxTop1Drop === undefined || maxTop1Drop <= 0 || maxTop1Drop >= PROBABLY_A_SHARE) return [];
  const points = Number((100 * maxTop1Drop).toPrecision(12));
  return [
    `maxTop1Drop is in percentage points: ${maxTop1Drop} is ${maxTop1Drop} points; for the share ${maxTop1Drop}, give ${points}`,
  ];
}

/** Throws `bad-usage` for a limit that is not finite. */
export function checkThresholds(thresholds: Thresholds): void {
  for (const name of [...RULES.map((rule) => rule.name), 'maxParity'] as const) {
    const limit = thresholds[name];
    if (limit === undefined || Number.isFinite(limit)) continue;
    throw new OnnxMishError('bad-usage', `the threshold ${name} is ${limit}`, {
      fix: 'Give a finite number',
    });
  }
}

/**
 * Holds a provider's figures against the limits. What could not be measured has not been kept. Outputs that
 * are not finite or cannot be compared fail whatever was asked for, as `maxBroken`; kernels and parity with the CPU
 * are held against `toleranceFor` the provider and the element type. A wrong original is a finding, not a failure:
 * the swapped model may be right where it is wrong.
 */
export function judge(provider: string, row: Measured, thresholds: Thresholds, elemType = 'f32'): Verdict[] {
  const asked = RULES.flatMap(({ name, sense, values }): Verdict[] => {
    const limit = thresholds[name];
    if (limit === undefined) return [];
    const measured = values(row);
    const known = measured.filter((value) => value !== null);
    const worst = known.length === 0 ? null : sense === 'max' ? Math.max(...known) : Math.min(...known);
    const complete = measured.length > 0 && known.length === measured.length;
    const kept = worst !== null && (sense === 'max' ? worst <= limit : worst >= limit);
    return [{ provider, threshold: name, limit, value: worst, passed: complete && kept, binding: true }];
  });
  return [...brokenOutputs(provider, row), ...unasked(provider, row, thresholds, elemType), ...asked];
}

/**
 * How far each output of a model is from the CPU's, as a share of the largest value that either model gives there: an
 * output whose probabilities are all next to 0 says little of what it can be. Null where it could not be compared.
 */
export function parityShare(
  parity: NonNullable<ProviderRow['parity']>,
  which: 'original' | 'swapped',
): (number | null)[] {
  const scales = new Map<string, number>();
  for (const { output, scale } of [...parity.original, ...parity.swapped]) {
    scales.set(output, Math.max(scales.get(output) ?? 0, scale ?? 0));
  }
  return parity[which].map(({ output, maxAbs }) => {
    if (maxAbs === null || maxAbs === 0) return maxAbs;
    return Math.min(Number.MAX_VALUE, maxAbs / (scales.get(output) ?? 0));
  });
}

function unasked(provider: string, row: Measured, thresholds: Thresholds, elemType: string): Verdict[] {
  const { kernel, parity } = row;
  const tolerance = toleranceFor(provider, elemType);
  const worst = (values: readonly (number | null)[]) =>
    values.every((value) => value !== null) ? Math.max(0, ...values.map(Number)) : null;
  const verdict = (threshold: string, limit: number, value: number | null, binding = true): Verdict => {
    return { provider, threshold, limit, value, passed: value !== null && value <= limit, binding };
  };
  const verdicts: Verdict[] = [];
  if (parity !== null) {
    const limit = thresholds.maxParity ?? tolerance.parity;
    verdicts.push(
      verdict('maxParity', limit, worst(parityShare(parity, 'swapped'))),
      verdict('maxOriginalParity', limit, worst(parityShare(parity, 'original')), false),
    );
  }
  // Each type has a limit of its own, so that the worst is the one furthest beyond its own.
  for (const type of new Set(kernel.map((sweep) => sweep.elemType))) {
    const measured = kernel.filter((sweep) => sweep.elemType === type && sweep.form !== null);
    if (measured.length === 0 || measured.some(({ problem }) => problem !== null)) continue; // told in the table
    const value = worst(measured.map(({ maxScaled, broken }) => (broken > 0 ? null : maxScaled)));
    verdicts.push(verdict('maxKernel', toleranceFor(provider, type).kernel, value));
  }
  return verdicts;
}

function brokenOutputs(provider: string, { drift }: Measured): Verdict[] {
  const comparable = drift.every(({ problem }) => problem === null);
  const broken = drift.reduce((sum, output) => sum + output.broken, 0);
  if (comparable && broken === 0) return [];
  const value = comparable ? broken : null;
  return [{ provider, threshold: 'maxBroken', limit: 0, value, passed: false, binding: true }];
}
