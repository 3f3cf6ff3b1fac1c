// State of a training after its last whole epoch.
import { OnnxMishError } from '../base/error.js';
import { elementCount } from '../providers/tensor.js';
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from './checkpoint.js';
import { type Epoch, isBetter } from './epoch.js';
import type { TrainingStep } from './training-step.js';

type Values = ReadonlyMap<string, Float32Array>;

/** The progress of a training. */
export interface TrainingProgress {
  readonly epochs: readonly Epoch[];
  /** Number of the epoch with the best validation score; null without validation. */
  readonly best: number | null;
  /** State after the last whole epoch, in arrays that are reused. */
  readonly state: Values;
  /** Weights and running statistics after the last whole epoch, or after the best epoch. */
  weights(which: 'best' | 'last'): Values;
  /** Adds an epoch, after which `copyState` gives the state. */
  add(epoch: Epoch, copyState: (into: Values) => void): void;
  checkpoint(): Uint8Array;
}

/** Starts with the initial weights, or with a checkpoint. Throws as `decodeCheckpoint` does, and `bad-usage` for another digest. */
export function trainingProgress(
  step: TrainingStep,
  initial: Values,
  digest: string,
  { resume, validates }: { readonly resume: Uint8Array | undefined; readonly validates: boolean },
): TrainingProgress {
  const resumed = resume && matching(decodeCheckpoint(resume), digest);
  const state = new Map(
    step.state.map(({ input, dims }) => {
      const values = new Float32Array(elementCount(dims));
      copyInto(values, resumed === undefined ? (initial.get(input) ?? values) : resumed.state.get(input));
      return [input, values] as const;
    }),
  );
  const bestWeights = new Map<string, Float32Array>();
  if (validates) {
    for (const [name, values] of initial) {
      const copy = values.slice();
      if (resumed !== undefined) copyInto(copy, resumed.bestWeights.get(name));
      bestWeights.set(name, copy);
    }
  }
  const epochs: Epoch[] = [...(resumed?.epochs ?? [])];
  let best = resumed?.best ?? null;
  return {
    epochs,
    state,
    get best() {
      return best;
    },
    weights(which) {
      if (which === 'best' && best !== null) return bestWeights;
      return new Map([...initial.keys()].map((name) => [name, state.get(name) ?? new Float32Array(0)]));
    },
    add(epoch, copyState) {
      const former = best === null ? null : (epochs[best - 1]?.validation ?? null);
      epochs.push(epoch);
      copyState(state);
      if (epoch.validation === null || (former !== null && !isBetter(epoch.validation, former))) return;
      best = epoch.epoch;
      copyState(bestWeights);
    },
    checkpoint: () => encodeCheckpoint({ digest, epochs, best, state, bestWeights }),
  };
}

function matching(checkpoint: Checkpoint, digest: string): Checkpoint {
  if (checkpoint.digest === digest) return checkpoint;
  throw new OnnxMishError('bad-usage', 'the checkpoint is of another model, other data or other options', {
    fix: 'Resume with the same model, data and options, or start anew',
  });
}

function copyInto(values: Float32Array, from: Float32Array | undefined): void {
  if (from?.length !== values.length)
    throw new OnnxMishError('bad-data', 'the checkpoint lacks a part of the state', { fix: 'Start anew' });
  values.set(from);
}
