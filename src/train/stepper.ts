import { stopIfAborted } from '../base/abort.js';
import { OnnxMishError } from '../base/error.js';
import type { Session } from '../providers/provider.js';
import { elementCount, type Tensor, type Tensors } from '../providers/tensor.js';
import { divergedLoss } from './divergence.js';
import type { GraphOptimizer } from './graph-optimizers.js';
import type { TrainingGraph } from './training-graph.js';
import type { TrainingStep } from './training-step.js';

/** An open session of a training step, with the state that passes from run to run. */
export interface Stepper {
  /**
   * Takes a step and returns the loss before the step. Predictions are compared with `labels`, by default the targets. Throws
   * `run-failed`, `aborted`.
   */
  step(feeds: Tensors, targets: Float32Array, rate: number, labels?: Float32Array): Promise<StepResult>;
  /** Returns a copy of the state by input name: weights, running statistics and the optimiser's state. */
  state(): ReadonlyMap<string, Float32Array>;
  /** Copies the state into arrays, by input name. */
  copyState(into: ReadonlyMap<string, Float32Array>): void;
  /** Replaces the state, as after `stepsBefore` steps. */
  restore(state: ReadonlyMap<string, ArrayLike<number>>, stepsBefore: number): void;
}

export interface StepResult {
  readonly loss: number;
  /** Number of correct predictions in the batch; undefined for a loss without predictions. */
  readonly correct: number | undefined;
  /** Number of predictions in the batch that count; undefined where all do. */
  readonly counted: number | undefined;
}

export interface StepperOptions {
  readonly optimizer: GraphOptimizer;
  /** Initial state by input name; absent tensors start as zeros. */
  readonly initial: ReadonlyMap<string, ArrayLike<number>>;
  /** Number of steps taken earlier; 0 by default. */
  readonly stepsBefore?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Whether a loss that is not finite is returned like any other. */
  readonly anyLoss?: boolean | undefined;
  /** Largest loss of a training that has not diverged; default: that of float64. */
  readonly maxLoss?: number | undefined;
  /** Returns the error for a loss that is not finite. Without it, the error says only the loss. See `lossExplainer`. */
  readonly explain?: ((failed: FailedStep) => Promise<OnnxMishError>) | undefined;
}

/** A step whose loss is NaN or infinite. */
export interface FailedStep {
  /** Sentence with the step's number and its loss. */
  readonly what: string;
  readonly feeds: Tensors;
  readonly targets: Float32Array;
  /** State before the step, by input name. */
  readonly state: ReadonlyMap<string, Float32Array>;
}

/** A training step, or one whose targets are among the feeds. */
export type SteppedGraph = TrainingGraph & Partial<Pick<TrainingStep, 'targets' | 'labels'>>;

/**
 * Creates a stepper from an open session of a training step. The state alternates between two sets of arrays, so that
 * steps allocate no arrays for it.
 */
export function createStepper(session: Session, step: SteppedGraph, options: StepperOptions): Stepper {
  const { optimizer, initial, signal } = options;
  let stepsTaken = options.stepsBefore ?? 0;
  const [first, second] = [allocate(step), allocate(step)];
  let [current, next] = [first, second];
  const load = (values: ReadonlyMap<string, ArrayLike<number>>) => {
    for (const [place, { input }] of step.state.entries()) current[place]?.data.set(values.get(input) ?? []);
  };
  load(initial);

  return {
    async step(feeds, targets, rate, labels = targets) {
      stopIfAborted(signal);
      const scalars = optimizer.scalarsAt(stepsTaken + 1, rate);
      const inputs: Record<string, Tensor> = { ...feeds };
      const add = (name: string, dims: readonly number[], data: Float32Array) => {
        inputs[name] = { elemType: 'f32', dims, data };
      };
      if (step.targets !== undefined) {
        const { name, dims } = step.targets;
        add(name, dims, targets);
        if (step.labels !== undefined) add(step.labels, dims, labels);
      }
      for (const [place, name] of step.scalars.entries()) add(name, [], Float32Array.of(scalars[place] ?? 0));
      const outputs: Record<string, Tensor> = {};
      for (const [place, { input, output }] of step.state.entries()) {
        const [from, to] = [current[place], next[place]];
        if (from === undefined || to === undefined) continue;
        inputs[input] = from;
        outputs[output] = to;
      }
      const results = await runInto(session, inputs, outputs);
      [current, next] = [next, current];
      stepsTaken++;
      const numberOf = (name: string) => Number(results[name]?.data[0]);
      const countOf = (name: string | undefined) => (name === undefined ? undefined : numberOf(name));
      const loss = numberOf(step.loss);
      if (Number.isFinite(loss) && loss > (options.maxLoss ?? Number.MAX_VALUE))
        throw divergedLoss(`step ${stepsTaken}`, loss);
      if (!Number.isFinite(loss) && options.anyLoss !== true) {
        const what = `the loss of step ${stepsTaken} is ${loss}`;
        // The sets have changed their roles: `next` has the state before the step.
        if (options.explain !== undefined)
          throw await options.explain({ what, feeds, targets, state: copyOf(step, next) });
        throw new OnnxMishError('run-failed', what, {
          fix: 'Lower the learning rate, or check the data for NaN',
        });
      }
      return { loss, correct: countOf(step.correct), counted: countOf(step.counted) };
    },
    copyState(into) {
      for (const [place, { input }] of step.state.entries())
        into.get(input)?.set(current[place]?.data ?? NONE);
    },
    restore(values, stepsBefore) {
      load(values);
      stepsTaken = stepsBefore;
    },
    state: () => copyOf(step, current),
  };
}

/** Copies the state by input name. */
function copyOf(step: SteppedGraph, tensors: readonly FloatTensor[]): ReadonlyMap<string, Float32Array> {
  return new Map(step.state.map(({ input }, place) => [input, tensors[place]?.data.slice() ?? NONE]));
}

const NONE = new Float32Array(0);

interface FloatTensor extends Tensor {
  readonly data: Float32Array;
}

function allocate({ state }: SteppedGraph): FloatTensor[] {
  return state.map(({ dims }) => ({ elemType: 'f32', dims, data: new Float32Array(elementCount(dims)) }));
}

/** Runs a session and writes the outputs into the given tensors' arrays. */
async function runInto(session: Session, feeds: Tensors, outputs: Tensors): Promise<Tensors> {
  if (session.runInto !== undefined) return session.runInto(feeds, outputs);
  const results = await session.run(feeds);
  for (const [name, { data }] of Object.entries(outputs)) {
    (data as Float32Array).set(results[name]?.data as Float32Array);
  }
  return results;
}
