// Optimisers as parts of a training graph. They compute the same numbers as PyTorch.
import { minus, over, plus, scaled, times } from './autodiff/rule.js';
import type { Tape } from './autodiff/tape.js';

/** Kind and settings of an optimiser. PyTorch's defaults apply. */
export type OptimizerOptions = { readonly weightDecay?: number | undefined } & (
  | { readonly kind: 'sgd'; readonly momentum?: number | undefined; readonly nesterov?: boolean | undefined }
  | {
      readonly kind: 'rmsprop';
      readonly momentum?: number | undefined;
      readonly alpha?: number | undefined;
      /**
       * Whether the mean of the squared gradients is corrected for its start at zero, as Adam does it. Without it, as in PyTorch, the
       * first step is 1 / √(1 − α) times as long as later ones, 10 times by default, which can undo what trained weights know.
       */
      readonly corrected?: boolean | undefined;
    }
  | {
      readonly kind: 'adam' | 'adamw';
      readonly betas?: readonly [number, number] | undefined;
      readonly epsilon?: number | undefined;
    }
);

/** An optimiser's step for a parameter, on a tape. */
export interface Update {
  readonly value: string;
  /** The state after the step, in the order of `states`. */
  readonly states: readonly string[];
}

/** Names of the factors of a mean over predictions: of the runs before, and of this run. */
export interface RunShares {
  readonly before: string;
  readonly run: string;
}

/** An optimiser that writes its step into a training graph. */
export interface GraphOptimizer {
  /** Names of the optimiser's state tensors per parameter. All start as zeros. */
  readonly states: readonly string[];
  /** Names of the scalar inputs of each step. The first is proportional to the learning rate. */
  readonly scalars: readonly string[];
  /** Returns the scalars of a step, in the order of `scalars`. Steps count from 1. */
  scalarsAt(step: number, rate: number): readonly number[];
  /**
   * Adds the sum of the gradients so far to the tape; the sum is the last state. `shares` has the factors of the sum before and of
   * the gradient, where the predictions that count differ between runs. Absent where each run has all gradients of a step.
   */
  accumulate?(
    tape: Tape,
    gradient: string,
    states: readonly string[],
    scalars: readonly string[],
    shares?: RunShares,
  ): string;
  /** Adds the factors of a run, and the number of predictions that counted so far. Absent where gradients are not averaged. */
  shares?(
    tape: Tape,
    counted: string,
    before: string,
    scalars: readonly string[],
  ): RunShares & { readonly counted: string };
  /**
   * Adds a step to the tape. The result has all states but the sum of gradients of `accumulate`. `scalars` names the tensors that hold
   * the scalars.
   */
  update(
    tape: Tape,
    parameter: string,
    gradient: string,
    states: readonly string[],
    scalars: readonly string[],
  ): Update;
}

const EPSILON = 1e-8;
const DEFAULT_ALPHA = 0.99;
const DEFAULT_BETAS = [0.9, 0.999] as const;
const DEFAULT_DECOUPLED_DECAY = 0.01;

/** Adds decay × average + (1 - decay) × x. */
const averaged = (tape: Tape, average: string, x: string, decay: number) =>
  plus(tape, scaled(tape, average, decay), scaled(tape, x, 1 - decay));

/** Creates an optimiser from its options. */
export function graphOptimizer(options: OptimizerOptions): GraphOptimizer {
  if (options.kind === 'sgd') return sgd(options);
  return options.kind === 'rmsprop' ? rmsprop(options) : adam(options);
}

function withDecay(tape: Tape, parameter: string, gradient: string, weightDecay: number): string {
  return weightDecay === 0 ? gradient : plus(tape, gradient, scaled(tape, parameter, weightDecay));
}

function sgd(options: OptimizerOptions & { readonly kind: 'sgd' }): GraphOptimizer {
  const { momentum = 0, nesterov = false, weightDecay = 0 } = options;
  return {
    states: momentum === 0 ? [] : ['velocity'],
    scalars: ['rate'],
    scalarsAt: (_, rate) => [rate],
    update(tape, parameter, gradient, [velocity = ''], [rate = '']) {
      const g = withDecay(tape, parameter, gradient, weightDecay);
      if (momentum === 0) return { value: minus(tape, parameter, times(tape, g, rate)), states: [] };
      const moved = plus(tape, scaled(tape, velocity, momentum), g);
      const direction = nesterov ? plus(tape, g, scaled(tape, moved, momentum)) : moved;
      return { value: minus(tape, parameter, times(tape, direction, rate)), states: [moved] };
    },
  };
}

function rmsprop(options: OptimizerOptions & { readonly kind: 'rmsprop' }): GraphOptimizer {
  const { momentum = 0, alpha = DEFAULT_ALPHA, weightDecay = 0, corrected = false } = options;
  return {
    states: momentum === 0 ? ['square'] : ['square', 'velocity'],
    scalars: ['rate'],
    scalarsAt: (step, rate) => [corrected ? rate * Math.sqrt(1 - alpha ** step) : rate],
    update(tape, parameter, gradient, [square = '', velocity = ''], [rate = '']) {
      const g = withDecay(tape, parameter, gradient, weightDecay);
      const squares = averaged(tape, square, times(tape, g, g), alpha);
      const root = plus(tape, tape.node('Sqrt', [squares]), tape.floats([EPSILON]));
      const direction = over(tape, g, root);
      if (momentum === 0) {
        return { value: minus(tape, parameter, times(tape, direction, rate)), states: [squares] };
      }
      const moved = plus(tape, scaled(tape, velocity, momentum), direction);
      return { value: minus(tape, parameter, times(tape, moved, rate)), states: [squares, moved] };
    },
  };
}

function adam(options: OptimizerOptions & { readonly kind: 'adam' | 'adamw' }): GraphOptimizer {
  const [first, second] = options.betas ?? DEFAULT_BETAS;
  const { epsilon = EPSILON } = options;
  const decoupled = options.kind === 'adamw';
  const weightDecay = options.weightDecay ?? (decoupled ? DEFAULT_DECOUPLED_DECAY : 0);
  return {
    states: ['mean', 'square'],
    scalars: ['stepSize', 'rootCorrection', 'kept'],
    // Computed in float64: 1 - 0.999 loses digits in float32.
    scalarsAt: (step, rate) => [
      rate / (1 - first ** step),
      1 / Math.sqrt(1 - second ** step),
      1 - rate * weightDecay,
    ],
    update(tape, parameter, gradient, [mean = '', square = ''], [stepSize = '', correction = '', kept = '']) {
      const g = decoupled ? gradient : withDecay(tape, parameter, gradient, weightDecay);
      const from = decoupled ? times(tape, parameter, kept) : parameter;
      const means = averaged(tape, mean, g, first);
      const squares = averaged(tape, square, times(tape, g, g), second);
      const root = times(tape, tape.node('Sqrt', [squares]), correction);
      const direction = over(tape, means, plus(tape, root, tape.floats([epsilon])));
      return { value: minus(tape, from, times(tape, direction, stepSize)), states: [means, squares] };
    },
  };
}

/** Scales all gradients down if their common norm exceeds `maxNorm`, as PyTorch's clip_grad_norm_ does. */
export function clipGradients(tape: Tape, gradients: readonly string[], maxNorm: number): string[] {
  const squares = gradients.map((g) => tape.sum(tape.reshape(times(tape, g, g), [-1]), [0]));
  const norm = tape.node('Sqrt', [tape.total(squares)]);
  const ratio = over(tape, tape.floats([maxNorm]), plus(tape, norm, tape.floats([1e-6])));
  const factor = tape.node('Min', [ratio, tape.floats([1])]);
  return gradients.map((g) => times(tape, g, factor));
}
