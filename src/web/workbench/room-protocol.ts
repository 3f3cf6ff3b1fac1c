// Messages of the rooms that train, between the page and its worker.

import type { Rgb } from '../../data/images.js';
import type { ExperimentReport, Landscape } from '../../experiment/report-schema.js';
import type { RunEpoch } from '../../experiment/train-run.js';
import type { FinetuneEpoch } from '../../finetune/options.js';
import type { FinetuneReport } from '../../finetune/report-schema.js';
import type { ArrayChanges, DoubtEvent, NamedFile, StepEvent, SwapChoice, WorkerAnswer } from './protocol.js';

/** Providers that train in a page. */
export type TrainingProvider = 'wasm' | 'webgpu';

/** The provider that a room tries first. */
export const FIRST_PROVIDER: TrainingProvider = 'webgpu';

/** Labelled samples that the user chose. */
export type LabelledInput =
  | ({
      readonly kind: 'npz';
      readonly file: NamedFile;
      /** Name of the array with the class numbers. */
      readonly labels: string;
      /** Samples for the test, with the same arrays; null to split them from the file. */
      readonly test: NamedFile | null;
    } & ArrayChanges)
  /** Images, whose folders are their classes. */
  | { readonly kind: 'images'; readonly files: readonly NamedFile[]; readonly mean: Rgb; readonly std: Rgb }
  /** The images that the page brings along. */
  | { readonly kind: 'bundled' };

/** Settings of a fine-tuning. */
export interface FinetuneChoice {
  readonly input: LabelledInput;
  readonly swap: SwapChoice;
  readonly epochs: number;
  readonly rate: number;
  readonly batch: number;
  /** Label that does not count; absent where samples have one label. */
  readonly ignoreLabel?: number;
  /** Whether images are mirrored at random. */
  readonly flip: boolean;
  /** Whether the swap's weights are repaired before training. */
  readonly repair: boolean;
  /** Preferred provider; WASM trains where WebGPU's losses differ. */
  readonly provider: TrainingProvider;
}

/** The provider that trains, and why not the preferred one; null where it does. */
export interface ProviderEvent {
  readonly kind: 'provider';
  readonly provider: TrainingProvider;
  readonly reason: string | null;
}

/** Mean loss of an arm in an epoch that is not finished. */
export interface LossEvent {
  readonly kind: 'loss';
  readonly arm: FinetuneEpoch['arm'];
  /** Number of finished epochs, with the fraction of the current one. */
  readonly at: number;
  readonly loss: number;
}

/** Events while both arms are trained. */
export type FinetuneEvent =
  | ProviderEvent
  | StepEvent
  | LossEvent
  | DoubtEvent
  | ({ readonly kind: 'epoch' } & FinetuneEpoch);

/** A trained model. */
export interface FinetunedModel {
  /** File name for the download: `model.mish.onnx`. */
  readonly name: string;
  readonly blob: Blob;
  readonly report: FinetuneReport;
}

/** Functions of the worker for the rooms that train. */
export interface TrainingBench {
  /**
   * Trains the open model with exchanged activations, and the original beside it. After a stop, the problem is `aborted`, and
   * `resume` goes on from the last epoch of the same model and choice.
   */
  finetune(
    choice: FinetuneChoice,
    resume: boolean,
    onEvent: (event: FinetuneEvent) => void,
  ): Promise<WorkerAnswer<FinetunedModel>>;
  /**
   * Trains a small net on the bundled images with each activation, an epoch each in turn, and computes their loss landscapes. After a
   * stop, the problem is `aborted`, and `resume` goes on from the last epoch of the same choice.
   */
  compare(
    choice: CompareChoice,
    resume: boolean,
    onEvent: (event: CompareEvent) => void,
  ): Promise<WorkerAnswer<ExperimentReport>>;
  /** Renders the report of a fine-tuning as the HTML page that the command line writes. */
  finetuneHtml(report: FinetuneReport): Promise<WorkerAnswer<string>>;
}

/** Settings of a comparison of activations. */
export interface CompareChoice {
  readonly activations: readonly string[];
  /** Sharpness β of Mish. */
  readonly beta: number;
  readonly epochs: number;
  readonly seed: number;
  readonly provider: TrainingProvider;
}

/** Events while a net learns with each activation. After a stop, epochs may come again. */
export type CompareEvent =
  | ProviderEvent
  | StepEvent
  | { readonly kind: 'epoch'; readonly activation: string; readonly epoch: RunEpoch }
  | { readonly kind: 'landscape'; readonly activation: string; readonly landscape: Landscape };
