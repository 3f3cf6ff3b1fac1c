import type { Advice } from '../base/option-hint.js';
import type { CalibrateOptions } from '../calibrate/options.js';
import type { Dataset } from '../data/dataset.js';
import type { Samples } from '../data/samples.js';
import type { Provider, SessionOptions, ValueInfo } from '../providers/provider.js';
import type { OptimizerOptions } from '../train/graph-optimizers.js';
import type { Targets } from '../train/targets.js';
import type { TrainerSettings } from '../train/trainer-options.js';
import type { FinetuneRun } from './report-schema.js';

/** Samples with their targets, before they are split. */
export interface LabelledData {
  readonly source: Dataset['source'];
  /** Name of the data, for messages. */
  readonly name?: string | undefined;
  /** Number of each sample in the data of this name, for messages; default: the samples are all of it. */
  readonly indices?: ArrayLike<number> | undefined;
  readonly samples: Samples;
  /** Class numbers, one per sample, or numbers in the shape of the output. */
  readonly targets: Targets;
  /** Digest of all samples and targets, to which a checkpoint belongs; default: computed from both. */
  readonly digest?: string | undefined;
}

/** Returns the labelled samples for a model's inputs. */
export type LabelledDataMaker = (inputs: readonly ValueInfo[]) => LabelledData | Promise<LabelledData>;

/** Storage of the state of a training that was stopped. */
export interface CheckpointStore {
  /** State of a stopped training, to go on from. */
  readonly resume?: Uint8Array | undefined;
  /** Name of this state, for messages. */
  readonly name?: string | undefined;
  /** Saves the state after an epoch. */
  save(checkpoint: Uint8Array): Promise<void>;
}

/** A finished epoch of an arm, while the trainings go on. */
export interface FinetuneEpoch extends Pick<FinetuneRun, 'arm' | 'seed' | 'before'> {
  readonly epoch: FinetuneRun['epochs'][number];
}

/** A finished training step of an arm. */
export interface FinetuneStep extends Pick<FinetuneRun, 'arm' | 'seed'> {
  /** Number of finished steps, and their total over all epochs. */
  readonly step: number;
  readonly of: number;
  /** Mean loss of the epoch so far. */
  readonly loss: number;
}

/** Options of a fine-tuning: the swap, the data, the settings and the callbacks. */
export interface FinetuneOptions
  extends Pick<
      CalibrateOptions,
      'to' | 'alpha' | 'only' | 'include' | 'exclude' | 'form' | 'target' | 'leaky' | 'strict'
    >,
    Omit<TrainerSettings, 'keep' | 'warmUp' | 'optimizer' | 'epochs'> {
  /** Number of passes over the training samples; default 6. */
  readonly epochs?: number | undefined;
  /** Default: RMSProp, as in the experiments with Mish. Its start is corrected, unless `corrected` is false. */
  readonly optimizer?: OptimizerOptions | undefined;
  /** Samples for training, validation and, without `test`, for the test. */
  readonly data: LabelledDataMaker;
  /** Samples for the test. */
  readonly test?: LabelledDataMaker | undefined;
  /** Share of the data for validation; default 0.1. */
  readonly validation?: number | undefined;
  /** Sharpness β of Mish; default 1. */
  readonly beta?: number | undefined;
  /** Whether the swap's weights are repaired before training, without labels; default true. */
  readonly calibrate?: boolean | undefined;
  /** Share of all steps over which the learning rate rises; default 0.05. */
  readonly warmUp?: number | undefined;
  /** Globs of the names of weights and running statistics that stay unchanged. */
  readonly freeze?: readonly string[] | undefined;
  /** Share of the original's outputs in the targets; default 0. */
  readonly teacher?: number | undefined;
  /** Whether the original is trained as long, for comparison; default true. */
  readonly control?: boolean | undefined;
  /** Number of repetitions with different batches; default 1. The model of the first is the result. */
  readonly seeds?: number | undefined;
  /** Whether both arms of a seed are trained in turns, an epoch each; default: one after the other. The result is the same. */
  readonly inTurns?: boolean | undefined;
  readonly checkpoint?: CheckpointStore | undefined;
  /** Name of the output's file. With it, weights that were external data go to a data file `<name>.data`; else into the model. */
  readonly fileName?: string | undefined;
  /** Provider that trains and tests; default the CPU. */
  readonly provider?: Provider | undefined;
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
  /**
   * Receives advice: on samples that do not look like those that the original was trained on or that the model couples, and on globs
   * that match no activation or no weight.
   */
  readonly onDoubt?: ((advice: Advice) => void) | undefined;
  /** Receives the name of the work, the finished share of it, and the seconds left of all trainings if known. */
  readonly onProgress?: ((work: string, share: number, secondsLeft: number | undefined) => void) | undefined;
  /** Receives each training step of each arm. */
  readonly onStep?: ((step: FinetuneStep) => void) | undefined;
  /** Receives each epoch of each arm when it has finished. */
  readonly onEpoch?: ((epoch: FinetuneEpoch) => void) | undefined;
  /** Receives an estimate of the seconds of all trainings, after some steps. */
  readonly onEstimate?: ((seconds: number) => void) | undefined;
}
