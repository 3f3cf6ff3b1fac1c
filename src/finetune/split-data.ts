import { OnnxMishError } from '../base/error.js';
import { plural } from '../base/plural.js';
import { createRandom, permutation } from '../base/random.js';
import { chosenSamples } from '../data/samples.js';
import { arrayFor, elementCount, type TypedArray } from '../providers/tensor.js';
import { isTargetTensor, type SampleOrigin, type Targets, targetCount } from '../train/targets.js';
import type { LabelledSamples } from '../train/trainer-options.js';
import type { LabelledData } from './options.js';

/** A part of labelled data. */
export interface LabelledPart extends LabelledSamples {
  readonly inputs: LabelledData['samples'];
  readonly count: number;
}

/** The parts of a fine-tuning. */
export interface DataParts {
  readonly train: LabelledPart;
  /** Undefined where no validation is wanted. */
  readonly validation: LabelledPart | undefined;
  readonly test: LabelledPart;
  readonly testFrom: 'data' | 'file';
}

/** Share of the validation part, and seed of the shuffle. */
export interface SplitOptions {
  /** Share of the data for validation. */
  readonly validation: number;
  readonly seed: number;
}

/** Share of the data for the test, where the test has no data of its own. */
const TEST_SHARE = 0.1;
/** Limit of the validation share. */
const MAX_VALIDATION = 1 - TEST_SHARE;
/** Tells the split apart from other uses of the seed. */
const SPLIT_SEED = 0x5eed;

/**
 * Splits data into training, validation and test parts by a seeded shuffle. `test` replaces the test part. Throws
 * `bad-data` if a part would be empty, and `bad-usage` for a validation share that leaves none.
 */
export function splitData(
  data: LabelledData,
  test: LabelledData | undefined,
  { validation, seed }: SplitOptions,
): DataParts {
  if (!(validation >= 0 && validation < MAX_VALIDATION)) {
    throw new OnnxMishError(
      'bad-usage',
      `the share for validation must be at least 0 and below ${MAX_VALIDATION}, got ${validation}`,
      {
        fix: 'Give a share such as 0.1',
      },
    );
  }
  const { count } = data.samples;
  const order = permutation(count, createRandom(seed + SPLIT_SEED));
  const sizeOf = (share: number) => (share === 0 ? 0 : Math.max(1, Math.floor(share * count)));
  const [forValidation, forTest] = [sizeOf(validation), test === undefined ? sizeOf(TEST_SHARE) : 0];
  const forTraining = count - forValidation - forTest;
  if (forTraining < 1) {
    const samples = `${plural(count, 'sample')} ${count === 1 ? 'is' : 'are'}`;
    throw new OnnxMishError('bad-data', `${samples} too few to train, validate and test`, {
      where: data.name,
      fix: 'Give more samples; some thousands are better',
    });
  }
  const part = (name: PartName, from: number, to: number) =>
    named(partOf(data, order.subarray(from, to).toSorted()), name);
  return {
    train: part('training', 0, forTraining),
    validation:
      forValidation === 0 ? undefined : part('validation', forTraining, forTraining + forValidation),
    test: test === undefined ? part('test', count - forTest, count) : named(wholeOf(test), 'test'),
    testFrom: test === undefined ? 'data' : 'file',
  };
}

type PartName = NonNullable<SampleOrigin['part']>;

const named = (part: LabelledPart, name: PartName): LabelledPart => ({
  ...part,
  origin: { ...part.origin, part: name },
});

/** Returns some samples with their targets. */
export function partOf({ samples, targets, name, indices }: LabelledData, chosen: Uint32Array): LabelledPart {
  checkTargets(targets, samples.count, name);
  return someOf({ count: samples.count, inputs: samples, targets, origin: { name, indices } }, chosen);
}

/** Returns some samples of a part. Errors number them as in the data of the part. */
export function someOf({ inputs, targets, origin }: LabelledPart, chosen: Uint32Array): LabelledPart {
  const { indices } = origin ?? {};
  return {
    count: chosen.length,
    origin: { ...origin, indices: indices === undefined ? chosen : chosen.map((at) => indices[at] ?? at) },
    inputs: chosenSamples(inputs, chosen),
    targets: chosenTargets(targets, chosen),
  };
}

/** Returns the first samples of a part, for measuring times. They may all be of one class, which `isExcerpt` permits. */
export function excerptOf(part: LabelledPart, most: number): LabelledPart {
  const indices = Uint32Array.from({ length: Math.min(most, part.count) }, (_, at) => at);
  const first = someOf(part, indices);
  return { ...first, origin: { ...first.origin, isExcerpt: true } };
}

function wholeOf({ samples, targets, name, indices }: LabelledData): LabelledPart {
  checkTargets(targets, samples.count, name);
  if (samples.count === 0)
    throw new OnnxMishError('bad-data', 'the test part has no samples', { where: name, fix: 'Give samples' });
  return { count: samples.count, origin: { name, indices }, inputs: samples, targets };
}

function checkTargets(targets: Targets, count: number, where: string | undefined): void {
  const given = targetCount(targets);
  if (given === count) return;
  throw new OnnxMishError(
    'bad-data',
    `there ${given === 1 ? 'is' : 'are'} ${plural(given, 'target')} for ${plural(count, 'sample')}`,
    { where, fix: 'Give a target for each sample' },
  );
}

function chosenTargets(targets: Targets, chosen: Uint32Array): Targets {
  if (!isTargetTensor(targets)) return Array.from(chosen, (index) => targets[index] ?? 0);
  const [, ...inner] = targets.dims;
  const length = elementCount(inner);
  const { data, elemType } = targets;
  const dims = [chosen.length, ...inner];
  if (!ArrayBuffer.isView(data))
    return { elemType, dims, data: Array.from(chosen, (index) => data[index] ?? '') };
  const out = arrayFor(elemType, chosen.length * length) ?? new Float32Array(chosen.length * length);
  for (const [place, index] of chosen.entries()) copyRow(data, index, out, place, length);
  return { elemType, dims, data: out };
}

function copyRow(from: TypedArray, index: number, into: TypedArray, place: number, length: number): void {
  const row = from.subarray(index * length, (index + 1) * length) as Float32Array;
  (into as Float32Array).set(row, place * length);
}
