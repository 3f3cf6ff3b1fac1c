// Targets of a training: class numbers or numbers, as the loss needs them.

import { OnnxMishError } from '../base/error.js';
import { plural } from '../base/plural.js';
import { labelOutside } from '../data/labels.js';
import { checkFinite } from '../data/samples.js';
import { placeStart, type ScoreLayout, scoreLayout } from '../metrics/score-layout.js';
import { elementCount, type Tensor, toNumbers } from '../providers/tensor.js';
import type { LossName } from './losses.js';

/** Class numbers, one per sample, or a tensor whose first axis counts samples. */
export type Targets = Tensor | ArrayLike<number>;

/** Place of samples in larger data, for messages. */
export interface SampleOrigin {
  /** Name of the data. */
  readonly name?: string | undefined;
  /** Number of each sample in the data; by default the samples are all of the data. */
  readonly indices?: ArrayLike<number> | undefined;
  /** The part of the data that the samples are. */
  readonly part?: 'training' | 'validation' | 'test' | undefined;
  /** Whether the samples are few of a part, which may be of one class or have no label; false by default. */
  readonly isExcerpt?: boolean | undefined;
}

/** Targets with random access. */
export interface TargetRows {
  readonly count: number;
  /** Number of labels, and of those that are ignored; undefined if the targets are not class numbers. */
  readonly labels: { readonly count: number; readonly ignored: number } | undefined;
  /** Writes the targets of samples, in the shape of the output. Those of an ignored label are 0. */
  read(indices: ArrayLike<number>, into: Float32Array): void;
}

/** Returns whether targets are a tensor, not a list of class numbers. */
export const isTargetTensor = (targets: Targets): targets is Tensor => 'elemType' in targets;

/** Returns the number of samples that have a target. */
export const targetCount = (targets: Targets): number =>
  isTargetTensor(targets) ? (targets.dims[0] ?? 0) : targets.length;

/** Returns the shape of the targets of one sample; undefined for a list of class numbers. */
export function targetDims(targets: Targets): readonly number[] | undefined {
  return isTargetTensor(targets) ? targets.dims.slice(1) : undefined;
}

/** Returns the numbers of targets. Throws `bad-data` for strings. */
export function targetNumbers(targets: Targets): ArrayLike<number> {
  const numbers = isTargetTensor(targets) ? toNumbers(targets) : targets;
  if (numbers !== undefined) return numbers;
  throw bad('the targets are strings', 'Give numbers; for classes, numbers from 0');
}

/** Returns whether a number is among the targets. */
export const hasTarget = (targets: Targets, number: number): boolean =>
  Array.prototype.includes.call(targetNumbers(targets), number);

/** Settings of the checks of targets. */
export interface TargetChecks {
  /** Whether all targets may be equal; false by default. */
  readonly mayBeEqual?: boolean | undefined;
  /** Where the classes are in the output; by default on its second axis. */
  readonly layout?: ScoreLayout | undefined;
  /** Label that does not count; by default, every label does. */
  readonly ignoreLabel?: number | undefined;
  readonly origin?: SampleOrigin | undefined;
}

/**
 * Prepares targets for a loss. `dims` is the shape of the output for one sample. Cross-entropy takes class numbers, one per sample or
 * one for each place such as a pixel, or probabilities in the shape of the output. Throws `bad-data` for targets that do not fit, and
 * for targets of one class unless these may be equal.
 */
export function targetRows(
  targets: Targets,
  loss: LossName,
  dims: readonly number[],
  count: number,
  checks: TargetChecks = {},
): TargetRows {
  const { origin, layout = scoreLayout(dims) } = checks;
  const numbers = targetNumbers(targets);
  const length = elementCount(dims);
  const given = targetCount(targets);
  if (given !== count)
    throw bad(
      `there ${given === 1 ? 'is' : 'are'} ${plural(given, 'target')} for ${plural(count, 'sample')}`,
      'Give a target for each sample',
      origin,
    );
  const isClasses = numbers.length === given * layout.places && (layout.classes > 1 || layout.places === 1);
  if (loss === 'cross-entropy' && isClasses) return classRows(numbers, dims, layout, checks);
  if (loss === 'cross-entropy' && numbers.length === given && length > 1) {
    throw bad(
      `the output has shape [N, ${dims}], and there is one class number for each sample`,
      'Give a class number for each place of the output, or name an output of [N, classes]',
      origin,
    );
  }
  if (numbers.length !== count * length) {
    const [first, ...inner] = isTargetTensor(targets) ? targets.dims : [numbers.length];
    const shape = [origin?.indices === undefined ? first : 'N', ...inner];
    throw bad(
      `the targets have shape [${shape}], but the output has [N, ${dims}]`,
      'Give targets of the shape of the output',
      origin,
    );
  }
  const numberOf = (sample: number) => sampleNumber(origin, sample);
  checkFinite(numbers, 'targets', length, { numberOf, where: origin?.name });
  if (loss !== 'mse') checkShares(numbers, length, checks);
  if (loss === 'cross-entropy') checkSums(numbers, layout, checks);
  return {
    count,
    labels: undefined,
    read(indices, into) {
      for (let place = 0; place < indices.length; place++) {
        const from = (indices[place] ?? 0) * length;
        for (let at = 0; at < length; at++) into[place * length + at] = numbers[from + at] ?? 0;
      }
    },
  };
}

/** Returns the number of a sample in the data that it is from. */
export const sampleNumber = (origin: SampleOrigin | undefined, sample: number) =>
  origin?.indices?.[sample] ?? sample;

function classRows(
  labels: ArrayLike<number>,
  dims: readonly number[],
  { classes, places, classStride, placeStride }: ScoreLayout,
  { mayBeEqual = false, ignoreLabel, origin }: TargetChecks,
): TargetRows {
  if (classes === 1) throw oneScore(origin);
  let first: number | undefined;
  let [several, ignored] = [false, 0];
  for (let at = 0; at < labels.length; at++) {
    const label = labels[at] as number;
    if (label === ignoreLabel) ignored++;
    else if (Number.isInteger(label) && label >= 0 && label < classes) {
      first ??= label;
      several ||= label !== first;
    } else {
      const sample = sampleNumber(origin, Math.floor(at / places));
      throw labelOutside(label, classes, { sample, where: origin?.name });
    }
  }
  const isExcerpt = origin?.isExcerpt === true;
  if (ignored === labels.length && ignored > 0 && !isExcerpt) throw noLabel(ignoreLabel, origin);
  if (!several && !mayBeEqual && !isExcerpt) throw oneClass(first, origin);
  const length = elementCount(dims);
  return {
    count: labels.length / places,
    labels: { count: labels.length, ignored },
    read(indices, into) {
      into.fill(0);
      for (let at = 0; at < indices.length; at++) {
        const from = (indices[at] ?? 0) * places;
        for (let place = 0; place < places; place++) {
          const label = labels[from + place] ?? 0;
          if (label !== ignoreLabel) into[at * length + place * placeStride + label * classStride] = 1;
        }
      }
    },
  };
}

function noLabel(label: number | undefined, origin: SampleOrigin | undefined): OnnxMishError {
  const part = origin?.part === undefined ? '' : ` of the ${origin.part} part`;
  return bad(
    `all labels${part} are ${label}, which is ignored`,
    'Give more samples with other labels',
    origin,
  );
}

/** Cross-entropy of a single score is 0 whatever the weights are. */
const oneScore = (origin: SampleOrigin | undefined) =>
  new OnnxMishError('bad-data', 'the output has one score for each sample, and cross-entropy needs two', {
    where: origin?.name,
    fix: 'For two classes in one score, give labels of 0 and 1 and train with the loss bce; for numbers, train with mse',
    option: { loss: 'bce' },
  });

function oneClass(label: number | undefined, origin: SampleOrigin | undefined): OnnxMishError {
  const part = origin?.part === undefined ? '' : ` in the ${origin.part} part`;
  return bad(
    label === undefined ? 'the data set has no labels' : `all labels are ${label}${part}`,
    'Give samples of at least two classes',
    origin,
  );
}

/** Throws `bad-data` for a target outside 0 to 1, and for targets that are all the same. */
function checkShares(
  numbers: ArrayLike<number>,
  length: number,
  { mayBeEqual = false, origin }: TargetChecks,
): void {
  let several = false;
  for (let at = 0; at < numbers.length; at++) {
    const value = numbers[at] as number;
    several ||= value !== numbers[at % length];
    if (value >= 0 && value <= 1) continue;
    throw new OnnxMishError(
      'bad-data',
      `the target ${value} of sample ${sampleNumber(origin, Math.floor(at / length))} is outside 0 to 1`,
      {
        where: origin?.name,
        fix: 'Give targets from 0 to 1, or for numbers of any size train with the loss mse',
        option: { loss: 'mse' },
      },
    );
  }
  if (several || mayBeEqual) return;
  throw length === 1
    ? oneClass(numbers[0], origin)
    : bad('all samples have the same targets', 'Give samples with different targets', origin);
}

/** Maximum difference of a sum of probabilities from 1: float16 rounds them. */
const MAX_SUM_ERROR = 0.01;

const isOne = (sum: number) => Math.abs(sum - 1) <= MAX_SUM_ERROR;

/** Returns the sum of the targets of all classes at a place; places are counted through all samples. */
function sumAt(numbers: ArrayLike<number>, layout: ScoreLayout, place: number): number {
  const start = placeStart(layout, place);
  let sum = 0;
  for (let number = 0; number < layout.classes; number++)
    sum += numbers[start + number * layout.classStride] ?? 0;
  return sum;
}

/** Returns whether targets add up to 1 at each place. */
export function areProbabilities(numbers: ArrayLike<number>, layout: ScoreLayout): boolean {
  for (let at = 0; at < numbers.length / layout.classes; at++)
    if (!isOne(sumAt(numbers, layout, at))) return false;
  return true;
}

/** Throws for probabilities that do not add up to 1, which the gradient of cross-entropy requires. */
function checkSums(numbers: ArrayLike<number>, layout: ScoreLayout, { origin }: TargetChecks): void {
  const { classes, places } = layout;
  for (let at = 0; at < numbers.length / classes; at++) {
    const sum = sumAt(numbers, layout, at);
    if (isOne(sum)) continue;
    throw new OnnxMishError(
      'bad-data',
      `the targets of sample ${sampleNumber(origin, Math.floor(at / places))} add up to ${Number(sum.toPrecision(3))}, and cross-entropy needs 1`,
      {
        where: origin?.name,
        fix: 'Give probabilities; if a sample may have several classes, train with the loss bce',
        option: { loss: 'bce' },
      },
    );
  }
}

function bad(what: string, fix: string, origin?: SampleOrigin): OnnxMishError {
  return new OnnxMishError('bad-data', what, { fix, where: origin?.name });
}
