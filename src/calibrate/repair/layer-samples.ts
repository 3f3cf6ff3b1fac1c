import { drawRuns, type Subset } from '../../data/split.js';
import { affordableWork } from '../work/budget.js';
import type { RunCosts } from '../work/run-costs.js';
import type { Geometry } from './layer-rows.js';

/** Minimum number of training samples of a layer: rows of neighbouring positions are alike, so that many rows of few samples say little. */
const MIN_TRAINING_SAMPLES = 384;
/** Minimum number of training samples of a layer with many rows in a sample, where the time is short. */
const FEW_SAMPLES = 16;
/** Minimum number where the time is too short even for `FEW_SAMPLES`. */
const MIN_SAMPLES = 4;
/** Wanted rows for each input of a layer. */
const MIN_ROWS_PER_INPUT = 20;
/** Number of training samples for each validation sample. */
const TRAINING_RATIO = 6;
/** Minimum number of validation samples. Fewer than 16 training samples get half as many validation samples. */
const MIN_VALIDATION_SAMPLES = 8;
/** Number of halvings in the search for the share of samples that fits into the time. */
const HALVINGS = 20;

/** Samples that a layer's rows come from. */
export interface LayerSamples {
  readonly train: Subset;
  readonly validation: Subset;
}

/** A layer's sizes that decide how many samples it gets. */
export interface LayerLoad {
  readonly geometry: Geometry;
  /** Number of rows of a sample. */
  readonly rowsOfSample: number;
  /** Work for each sample. */
  readonly work: number;
}

/** Returns the load of a layer with these outputs. */
export function loadOf(
  geometry: Geometry,
  uses: readonly { readonly y: string }[],
  costs: RunCosts,
): LayerLoad {
  const sum = (value: (name: string) => number) => uses.reduce((total, { y }) => total + value(y), 0);
  const elements = sum(costs.elementsOf) || Number.POSITIVE_INFINITY;
  const rowsOfSample = Math.max(1, elements / (geometry.groups * geometry.outputs));
  // The original gives the outputs, the swapped model the inputs.
  return { geometry, rowsOfSample, work: 2 * sum(costs.workTo) };
}

/**
 * Plans the number of training samples of each layer. A dense layer has one row for each sample, and needs many samples; a
 * convolution has many rows. If all together take longer than `seconds`, layers whose samples have many rows get fewer. If even
 * their smallest numbers take longer, all layers get fewer.
 */
export function planSamples(loads: readonly LayerLoad[], rows: number, seconds: number): number[] {
  const most = affordableWork(seconds);
  const needed = loads.map(
    ({ geometry, rowsOfSample }) => Math.min(rows, MIN_ROWS_PER_INPUT * geometry.depth) / rowsOfSample,
  );
  const wanted = needed.map((samples) => Math.max(samples, MIN_TRAINING_SAMPLES));
  const least = needed.map((samples) => Math.max(samples, FEW_SAMPLES));
  const total = (samples: readonly number[]) =>
    loads.reduce((sum, load, at) => sum + workOf(load, samples[at] ?? 0), 0);
  const between = (share: number) =>
    least.map((samples, at) => samples + share * ((wanted[at] ?? samples) - samples));
  if (total(wanted) <= most) return wanted;
  const lowest = total(least);
  if (lowest >= most) {
    const share = most / lowest;
    return least.map((samples) => Math.max(share * samples, Math.min(samples, MIN_SAMPLES)));
  }
  let [low, high] = [0, 1];
  for (let count = 0; count < HALVINGS; count++) {
    const middle = (low + high) / 2;
    if (total(between(middle)) <= most) low = middle;
    else high = middle;
  }
  return between(low);
}

/** Returns the work of a layer with a number of training samples, and their validation samples. */
export function workOf({ work }: LayerLoad, samples: number): number {
  return work * (samples + validationFor(samples));
}

/** Returns the number of validation samples for a number of training samples. */
function validationFor(samples: number): number {
  return Math.max(samples / TRAINING_RATIO, Math.min(MIN_VALIDATION_SAMPLES, samples / 2));
}

/** Draws a number of training samples, and validation samples in proportion; all if they are few. */
export function drawSamples(
  { train, validation, seed }: LayerSamples & { readonly seed: number },
  samples: number,
  batch: number,
): LayerSamples {
  const runs = Math.ceil(samples / batch);
  const held = validationFor(runs * batch) / batch;
  return { train: drawRuns(train, runs, seed), validation: drawRuns(validation, Math.ceil(held), seed) };
}
