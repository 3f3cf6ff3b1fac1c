// Loss around trained weights, along two random directions.
// H. Li, Z. Xu, G. Taylor, C. Studer and T. Goldstein, "Visualizing the Loss Landscape of Neural Nets", 2018, arXiv:1712.09913.
import { stopIfAborted } from '../base/abort.js';
import { crc32 } from '../base/crc32.js';
import { OnnxMishError } from '../base/error.js';
import { createRandom, normal, seedOf } from '../base/random.js';
import type { Evaluation } from '../train/evaluate.js';
import { type FilterLayout, filterNumbers } from '../train/filters.js';
import type { ModelTrainer } from '../train/train-model.js';
import type { LabelledSamples } from '../train/trainer-options.js';
import type { Landscape } from './report-schema.js';
import { roughnessOf } from './roughness.js';

/** A trained weight. */
export interface LandscapeWeight {
  readonly values: Float32Array;
  /** Its filters; undefined for a bias or a parameter of a normalisation, which no direction moves. */
  readonly filters: FilterLayout | undefined;
}

/** Trained weights, and the loss at other weights. */
export interface LandscapeSource {
  readonly weights: ReadonlyMap<string, LandscapeWeight>;
  /** Evaluates weights by name, the same samples in each call. The arrays hold until the result is there. */
  lossAt(weights: ReadonlyMap<string, Float32Array>): Promise<Pick<Evaluation, 'loss' | 'losses'>>;
}

/** Size and seed of a loss landscape. */
export interface LandscapeOptions {
  /** Seed of both directions; default 0. */
  readonly seed?: number | undefined;
  /** Number of points along each direction, at least 3; default 21. */
  readonly points?: number | undefined;
  /** Distance from the trained weights to the edge, in filter norms; default 1. */
  readonly span?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Receives the number of finished points, their total, and an estimate of the seconds left. */
  readonly onProgress?: ((done: number, of: number, secondsLeft: number) => void) | undefined;
}

/** Default number of points along each direction. */
export const DEFAULT_POINTS = 21;
const MAX_POINTS = 201;
/** Default distance to the edge. */
export const DEFAULT_SPAN = 1;

/**
 * Calculates the loss at weights + a · first + b · second, where a and b go from -span to span. Rows have the same b, columns the
 * same a. Both directions depend only on the seed and the names of the weights, so that nets with other activations get the
 * same ones; `randomDirection` scales them. Batch normalisation keeps its running statistics.
 *
 * Throws `bad-usage` for numbers that cannot be used, `aborted`, and what `lossAt` throws.
 *
 * @example
 * import { lossLandscape, trainedWeights } from 'onnx-mish/experiment';
 * import { openTrainer } from 'onnx-mish/node';
 *
 * const x = { elemType: 'f32', dims: [128, 3], data: new Float32Array(384) };
 * const samples = { inputs: { x }, targets: Array.from({ length: 128 }, (_, index) => index % 2) };
 * const trainer = await openTrainer('model.onnx', { ...samples, epochs: 5 });
 * for await (const { epoch, loss } of trainer) console.log(epoch, loss);
 * const { losses, roughness } = await lossLandscape(trainedWeights(trainer, samples), { points: 11 });
 * await trainer.close();
 */
export async function lossLandscape(
  { weights, lossAt }: LandscapeSource,
  options: LandscapeOptions = {},
): Promise<Landscape> {
  const { seed = 0, points = DEFAULT_POINTS, span = DEFAULT_SPAN, signal, onProgress } = options;
  checkLandscape(points, span);
  const [first, second] = [randomDirection(weights, seed, 0), randomDirection(weights, seed, 1)];
  const moved = new Map([...weights].map(([name, { values }]) => [name, values.slice()]));
  const place = (index: number) => span * ((2 * index) / (points - 1) - 1);
  const losses: (number | null)[] = [];
  let images = 0;
  const start = performance.now();
  for (let at = 0; at < points ** 2; at++) {
    stopIfAborted(signal);
    const [a, b] = [place(at % points), place(Math.floor(at / points))];
    for (const [name, { values }] of weights) moveTo(moved.get(name), values, [a, first.get(name)], [b, second.get(name)]); // biome-ignore format: one call
    const { loss, losses: each } = await lossAt(moved);
    images = each.length;
    losses.push(Number.isFinite(loss) ? loss : null);
    const left = points ** 2 - at - 1;
    onProgress?.(at + 1, points ** 2, ((performance.now() - start) / 1000 / (at + 1)) * left);
  }
  return { span, points, losses, roughness: roughnessOf(losses, points), images };
}

/** Throws `bad-usage` for a size of a landscape that cannot be used. */
export function checkLandscape(points: number, span: number): void {
  if (!(Number.isInteger(points) && points >= 3 && points <= MAX_POINTS)) {
    const what = `the number of points must be an integer from 3 to ${MAX_POINTS}, got ${points}`;
    throw new OnnxMishError('bad-usage', what);
  }
  if (!(span > 0 && span < Number.POSITIVE_INFINITY))
    throw new OnnxMishError('bad-usage', `the span of the landscape must be positive, got ${span}`);
}

/** A distance and the direction that it goes along. */
type Step = readonly [distance: number, direction: Float64Array | undefined];

function moveTo(
  into: Float32Array | undefined,
  from: Float32Array,
  [a, first]: Step,
  [b, second]: Step,
): void {
  if (into === undefined || first === undefined || second === undefined) return;
  for (let at = 0; at < from.length; at++)
    into[at] = (from[at] ?? 0) + a * (first[at] ?? 0) + b * (second[at] ?? 0);
}

/**
 * Returns a random direction by weight name: normal numbers, each filter scaled to the norm of the weight's filter. Weights
 * without filters are absent.
 */
export function randomDirection(
  weights: LandscapeSource['weights'],
  seed: number,
  number: number,
): ReadonlyMap<string, Float64Array> {
  const direction = new Map<string, Float64Array>();
  for (const [name, { values, filters }] of weights) {
    if (filters === undefined) continue;
    const random = createRandom(seedOf(seed, number, crc32(encoder.encode(name))));
    const drawn = Float64Array.from(values, () => normal(random));
    const numbers = filterNumbers(filters);
    const [wanted, given] = [squaredNorms(values, numbers), squaredNorms(drawn, numbers)];
    for (let at = 0; at < drawn.length; at++) {
      const filter = numbers[at] ?? 0;
      drawn[at] = (drawn[at] ?? 0) * Math.sqrt((wanted[filter] ?? 0) / (given[filter] || 1));
    }
    direction.set(name, drawn);
  }
  return direction;
}

const encoder = new TextEncoder();

/** Returns the squared norm of each filter. */
function squaredNorms(values: ArrayLike<number>, numbers: Uint32Array): Float64Array {
  const norms = new Float64Array(numbers.reduce((most, number) => Math.max(most, number), 0) + 1);
  for (let at = 0; at < values.length; at++) {
    const filter = numbers[at] ?? 0;
    norms[filter] = (norms[filter] ?? 0) + (values[at] ?? 0) ** 2;
  }
  return norms;
}

/**
 * Returns the trained weights of a trainer, and their loss on samples by its evaluation.
 *
 * @example
 * import { lossLandscape, trainedWeights } from 'onnx-mish/experiment';
 * import { openTrainer } from 'onnx-mish/node';
 *
 * const x = { elemType: 'f32', dims: [128, 3], data: new Float32Array(384) };
 * const samples = { inputs: { x }, targets: Array.from({ length: 128 }, (_, index) => index % 2) };
 * const trainer = await openTrainer('model.onnx', { ...samples, epochs: 5 });
 * for await (const { epoch, loss } of trainer) console.log(epoch, loss);
 * const { weights, lossAt } = trainedWeights(trainer, samples);
 * console.log((await lossAt(new Map([...weights].map(([name, { values }]) => [name, values])))).loss);
 * await trainer.close();
 */
export function trainedWeights(
  trainer: Pick<ModelTrainer, 'weights' | 'filters' | 'evaluate'>,
  samples: LabelledSamples,
): LandscapeSource {
  const layouts = trainer.filters();
  const weights = [...trainer.weights()].map(
    ([name, values]) => [name, { values, filters: layouts.get(name) }] as const,
  );
  return { weights: new Map(weights), lossAt: (moved) => trainer.evaluate(samples, moved) };
}
