import { drawRuns, type Subset } from '../../data/split.js';
import { affordableWork } from '../work/budget.js';
import type { RunCosts } from '../work/run-costs.js';
import type { Geometry } from './layer-rows.js';

/** Minimum number of training samples that a layer wants: rows of neighbouring positions are alike, so that many rows of few samples say little. */
const MIN_WANTED_SAMPLES = 384;
/** Minimum number of training samples where the time is short. */
const MIN_SAMPLES = 4;
/** Wanted rows for each input of a layer. */
const WANTED_ROWS_PER_INPUT = 20;
/** Number of training samples for each validation sample. */
const TRAINING_RATIO = 6;
/** Minimum number of validation samples. Fewer than 16 training samples get half as many validation samples. */
const MIN_VALIDATION_SAMPLES = 8;
/** Number of halvings in the search for the samples that fit into the time. */
const HALVINGS = 40;

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

/** Limits of the number of samples of layers. */
export interface LayerLimits {
  /** Maximum number of rows that a layer wants. */
  readonly rows: number;
  /** Number of training samples that there are. */
  readonly available: number;
  /** Seconds for the samples of all layers. */
  readonly seconds: number;
}

/**
 * Plans the number of training samples of each layer. A dense layer has one row for each sample, and wants many samples; a
 * convolution has many rows. If what all want takes longer than `seconds`, each gets a share by its wish and its work: a layer's error on
 * other samples falls as wanted / n, and n ∝ √(wanted / work) makes the sum of these errors least for a given work (Lagrange).
 */
export function planSamples(
  loads: readonly LayerLoad[],
  { rows, available, seconds }: LayerLimits,
): number[] {
  const most = affordableWork(seconds);
  const wanted = loads.map(({ geometry, rowsOfSample }) => {
    const needed = Math.min(rows, WANTED_ROWS_PER_INPUT * geometry.depth) / rowsOfSample;
    return Math.min(available, Math.max(needed, MIN_WANTED_SAMPLES));
  });
  if (totalWork(loads, wanted) <= most) return wanted;
  const logShares = loads.map(({ work }, at) => Math.log((wanted[at] ?? 1) / Math.max(1, work)) / 2);
  const withPrice = (logPrice: number) =>
    logShares.map((share, at) => {
      const wish = wanted[at] ?? MIN_SAMPLES;
      return Math.max(Math.min(MIN_SAMPLES, wish), Math.min(wish, Math.exp(share - logPrice)));
    });
  let [low, high] = [0, 0];
  for (const [at, share] of logShares.entries()) {
    low = Math.min(low, share - Math.log(wanted[at] ?? 1));
    high = Math.max(high, share - Math.log(MIN_SAMPLES));
  }
  for (let count = 0; count < HALVINGS; count++) {
    const middle = (low + high) / 2;
    if (totalWork(loads, withPrice(middle)) <= most) high = middle;
    else low = middle;
  }
  return withPrice(high);
}

/** Returns the work of a layer with a number of training samples, and their validation samples. */
export function workOf({ work }: LayerLoad, samples: number): number {
  return work * (samples + validationFor(samples));
}

/** Returns the work of all layers with a number of training samples each. */
export function totalWork(loads: readonly LayerLoad[], samples: readonly number[]): number {
  return loads.reduce((sum, load, at) => sum + workOf(load, samples[at] ?? 0), 0);
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
