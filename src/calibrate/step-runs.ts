// The runs of gradient steps: small enough for the memory and the time of a step.

import { drawRuns, type Subset } from '../data/split.js';
import { sliceRun, splitRuns } from '../data/split-runs.js';
import type { EditableModel } from '../providers/loaded-model.js';
import type { OnProvider, SessionOptions } from '../providers/provider.js';
import { elementCount, type Tensors } from '../providers/tensor.js';
import { type Probe, probeWithSession } from '../train/probe.js';
import { MAX_STEP_ELEMENTS } from './step-memory.js';
import { affordableSamples, PART_SECONDS, secondsFor } from './work/budget.js';
import { partsFor } from './work/fit-runs.js';
import type { RunCosts } from './work/run-costs.js';

/** Number of samples for a gradient step, unless their work is too much. */
const STEP_SAMPLES = 16;
/** Number of validation samples; more would take longer than the steps. */
const MAX_VALIDATION_SAMPLES = 256;
/** Work of a step on a sample, in the work of a run: the original, forward, and backward twice. */
const STEP_RUNS = 4;
/** Work of validation on a sample, in the work of a run: the original, and forward. */
const VALIDATION_RUNS = 2;
const MIN_VALIDATION_SAMPLES = 4;

/** Model and samples of gradient steps, with the costs of a run. */
export interface StepRuns extends OnProvider {
  /** The model to tune. */
  readonly repaired: EditableModel;
  readonly train: Subset;
  readonly validation: Subset;
  /** Work and sizes of a run of the original. */
  readonly costs: RunCosts;
  readonly seed: number;
  readonly session?: SessionOptions | undefined;
}

/** Returns the number of samples of a gradient step. */
export function samplesForStep({ work }: RunCosts): number {
  return Math.min(STEP_SAMPLES, affordableSamples(PART_SECONDS.step, STEP_RUNS * work));
}

/** Returns the time of a gradient step by its work, in milliseconds. */
export function stepMsByWork({ work }: RunCosts, samplesOfStep: number): number {
  return 1000 * secondsFor(STEP_RUNS * work * samplesOfStep);
}

/** Splits the runs so that a step takes little memory and time, and limits the validation samples. */
export async function withSmallRuns(
  options: StepRuns,
  first: Tensors,
  samplesOfStep: number,
): Promise<Pick<StepRuns, 'train' | 'validation'>> {
  const { costs, repaired, train, validation, seed } = options;
  const few = Math.min(
    MAX_VALIDATION_SAMPLES,
    Math.max(MIN_VALIDATION_SAMPLES, affordableSamples(PART_SECONDS.loss, VALIDATION_RUNS * costs.work)),
  );
  const runs = Math.ceil(few / costs.batch);
  const held = drawRuns(validation, runs, seed);
  if (!costs.splits) return { train, validation: held };
  const one = sliceRun(first, 0, 1);
  const elements = elementsOf(repaired, await probeOf(options, one));
  const parts = Math.max(
    partsFor(costs, elements, MAX_STEP_ELEMENTS / 2),
    partsFor(costs, 1, Math.max(1, samplesOfStep)),
  );
  return { train: inParts(train, parts), validation: inParts(held, parts) };
}

function inParts({ feeds, runs, indices }: Subset, parts: number): Subset {
  return { feeds: splitRuns(feeds, parts), runs: runs * parts, indices };
}

/** Runs the model once for the shapes of its tensors. */
export function probeOf({ repaired, ...options }: StepRuns, feeds: Tensors): Promise<Probe> {
  return probeWithSession(repaired, feeds, options);
}

/** Returns the number of elements of all tensors that a model computes. */
export function elementsOf({ document }: EditableModel, probe: Probe): number {
  const names = new Set(document.graph.nodes.flatMap(({ outputs }) => outputs));
  return [...names].reduce((sum, name) => sum + elementCount(probe.dims(name)), 0);
}
