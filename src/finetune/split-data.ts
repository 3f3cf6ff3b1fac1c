import { OnnxMishError } from '../base/error.js';
import { createRandom, permutation } from '../base/random.js';
import { chosenSamples } from '../data/samples.js';
import { arrayFor, elementCount, type Tensor, type TypedArray } from '../providers/tensor.js';
import type { Targets } from '../train/targets.js';
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

export interface SplitOptions {
  /** Share of the data for validation. */
  readonly validation: number;
  readonly seed: number;
}

/** Share of the data for the test, where the test has no data of its own. */
const TEST_SHARE = 0.1;
/** Tells the split apart from other uses of the seed. */
const SPLIT_SEED = 0x5eed;

/**
 * Splits data into training, validation and test parts by a seeded shuffle. `test` replaces the test part. Throws
 * `bad-data` if a part would be empty, and `bad-usage` for a share outside of 0 to 0.9.
 */
export function splitData(
  data: LabelledData,
  test: LabelledData | undefined,
  { validation, seed }: SplitOptions,
): DataParts {
  if (!(validation >= 0 && validation <= 0.9)) {
    throw new OnnxMishError(
      'bad-usage',
      `the share for validation must be from 0 to 0.9, got ${validation}`,
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
    const samples = count === 1 ? '1 sample is' : `${count} samples are`;
    throw new OnnxMishError('bad-data', `${samples} too few to train, validate and test`, {
      where: data.name,
      fix: 'Give more samples; some thousands are better',
    });
  }
  const part = (from: number, to: number) => partOf(data, order.subarray(from, to).toSorted());
  const trained = part(0, forTraining);
  return {
    train: trained,
    validation: forValidation === 0 ? undefined : part(forTraining, forTraining + forValidation),
    test: test === undefined ? part(count - forTest, count) : wholeOf(test),
    testFrom: test === undefined ? 'data' : 'file',
  };
}

/** Returns some samples with their targets. */
export function partOf({ samples, targets, name, indices }: LabelledData, chosen: Uint32Array): LabelledPart {
  checkTargets(targets, samples.count, name);
  return someOf({ count: samples.count, inputs: samples, targets, origin: { name, indices } }, chosen);
}

/** Returns some samples of a part. Errors number them as in the data of the part. */
export function someOf({ inputs, targets, origin }: LabelledPart, chosen: Uint32Array): LabelledPart {
  const { name, indices } = origin ?? {};
  return {
    count: chosen.length,
    origin: { name, indices: indices === undefined ? chosen : chosen.map((at) => indices[at] ?? at) },
    inputs: chosenSamples(inputs, chosen),
    targets: chosenTargets(targets, chosen),
  };
}

/** Returns the first samples of a part. */
export function firstOf(part: LabelledPart, most: number): LabelledPart {
  return someOf(
    part,
    Uint32Array.from({ length: Math.min(most, part.count) }, (_, at) => at),
  );
}

function wholeOf({ samples, targets, name, indices }: LabelledData): LabelledPart {
  checkTargets(targets, samples.count, name);
  if (samples.count === 0)
    throw new OnnxMishError('bad-data', 'the test part has no samples', {
      ...{ where: name, fix: 'Give samples' },
    });
  return { count: samples.count, origin: { name, indices }, inputs: samples, targets };
}

const isTensor = (targets: Targets): targets is Tensor => 'elemType' in targets;

function checkTargets(targets: Targets, count: number, where: string | undefined): void {
  const given = isTensor(targets) ? (targets.dims[0] ?? 0) : targets.length;
  if (given === count) return;
  throw new OnnxMishError('bad-data', `there are ${given} targets for ${count} samples`, {
    ...{ where, fix: 'Give a target for each sample' },
  });
}

function chosenTargets(targets: Targets, chosen: Uint32Array): Targets {
  if (!isTensor(targets)) return Array.from(chosen, (index) => targets[index] ?? 0);
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
