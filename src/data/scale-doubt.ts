import type { Advice } from '../base/option-hint.js';
import { type Tensor, type Tensors, toNumbers } from '../providers/tensor.js';
import { type Feeds, firstFeeds } from './dataset.js';

/** Largest value of a byte, by which pixels are usually divided. */
const MAX_BYTE = 255;
/** Values above this number are no pixels from 0 to 1, or standardised ones. */
const MIN_LARGEST = 16;
/** Number of samples to look at, and the smallest number that allows a conclusion. */
const MAX_SAMPLES = 64;
const MIN_SAMPLES = 8;
/** Distance of the two best scores from which the answer counts as certain: a probability of 1 in float32. */
const CERTAIN = 17;
/** Smallest share of certain answers for raw pixels, and the largest for scaled ones. */
const MOST_CERTAIN = 0.6;
const FEW_CERTAIN = 0.3;
/** Smallest share of different answers that scaled pixels must keep. A net that was trained on raw pixels keeps almost none. */
const MIN_VARIETY = 0.5;
/** Smallest median probability of the best class, in multiples of chance, that scaled pixels must give. */
const MIN_CONFIDENCE = 2;

/**
 * Returns advice if samples look like pixels from 0 to 255 and the original like a classifier that was trained on pixels from
 * 0 to 1: on the samples, it is certain of nearly every answer; on the samples divided by 255, it gives as various answers,
 * and is as sure as a trained classifier. Returns undefined for other samples and models. Throws what `run` throws.
 */
export async function scaleDoubt(
  feeds: Feeds,
  run: (feeds: Tensors) => Promise<Tensors>,
): Promise<Advice | undefined> {
  const first = await firstFeeds(feeds, MAX_SAMPLES);
  const [name, ...others] = Object.keys(first[0] ?? {});
  if (name === undefined || others.length > 0) return undefined;
  const pixels = first.map((feed) => feed[name]).filter((tensor) => tensor !== undefined);
  if (!pixels.every(isFloat) || !areBytes(pixels)) return undefined;
  const raw: Answer[] = [];
  const scaled: Answer[] = [];
  for (const tensor of pixels) {
    if (raw.length >= MAX_SAMPLES) break;
    raw.push(...answersOf(await run({ [name]: tensor })));
    scaled.push(...answersOf(await run({ [name]: divided(tensor) })));
  }
  if (raw.length < MIN_SAMPLES || scaled.length !== raw.length) return undefined;
  if (certainShare(raw) < MOST_CERTAIN || certainShare(scaled) > FEW_CERTAIN) return undefined;
  if (varietyOf(scaled) < 2 || varietyOf(scaled) < MIN_VARIETY * varietyOf(raw)) return undefined;
  if (medianOf(scaled.map(({ confidence }) => confidence)) < MIN_CONFIDENCE) return undefined;
  return {
    text: 'the samples reach from 0 to 255, and the model seems to be trained on pixels from 0 to 1: it is certain of every answer on them, and not on the same samples divided by 255. Divide them',
    option: { scale: '1/255' },
  };
}

const isFloat = ({ elemType, data }: Tensor) =>
  (elemType === 'f32' || elemType === 'f64') &&
  (data instanceof Float32Array || data instanceof Float64Array);

/** Returns whether all values are whole numbers from 0 to 255, and some are large. */
function areBytes(tensors: readonly Tensor[]): boolean {
  let largest = 0;
  for (const { data } of tensors) {
    for (const value of data as Float32Array) {
      if (!Number.isInteger(value) || value < 0 || value > MAX_BYTE) return false;
      if (value > largest) largest = value;
    }
  }
  return largest >= MIN_LARGEST;
}

function divided(tensor: Tensor): Tensor {
  return { ...tensor, data: (tensor.data as Float32Array).map((value) => value / MAX_BYTE) };
}

/** Answer of a classifier to a sample. */
interface Answer {
  readonly best: number;
  /** Distance of the two best scores before softmax. */
  readonly margin: number;
  /** Probability of the best class, in multiples of chance. */
  readonly confidence: number;
}

/** Returns the answers in the first output with rows of scores; none without such an output. */
function answersOf(outputs: Tensors): Answer[] {
  for (const tensor of Object.values(outputs)) {
    const [rows = 0, width = 0, ...more] = tensor.dims;
    const numbers = /^f(16|32|64)$/.test(tensor.elemType) ? toNumbers(tensor) : undefined;
    if (numbers === undefined || rows < 1 || width < 3 || more.some((dim) => dim !== 1)) continue;
    return Array.from({ length: rows }, (_, row) =>
      answerIn(Array.from({ length: width }, (_, at) => numbers[row * width + at] ?? 0)),
    );
  }
  return [];
}

function answerIn(row: readonly number[]): Answer {
  const sum = row.reduce((total, value) => total + value, 0);
  const areProbabilities = Math.abs(sum - 1) < 1e-3 && row.every((value) => value >= 0 && value <= 1);
  const scores = areProbabilities ? row.map((value) => Math.log(Math.max(value, 1e-30))) : row;
  const [first = 0, second = 0] = scores.toSorted((a, b) => b - a);
  const total = scores.reduce((all, score) => all + Math.exp(score - first), 0);
  return { best: scores.indexOf(first), margin: first - second, confidence: row.length / total };
}

const certainShare = (answers: readonly Answer[]) =>
  answers.filter(({ margin }) => margin >= CERTAIN).length / answers.length;

const varietyOf = (answers: readonly Answer[]) => new Set(answers.map(({ best }) => best)).size;

const medianOf = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
