import type { Advice } from '../base/option-hint.js';
import type { LabelledDataMaker } from '../finetune/options.js';
import type { Provider, SessionOptions } from '../providers/provider.js';
import type { OptimizerOptions } from '../train/graph-optimizers.js';
import type { TrainerSettings } from '../train/trainer-options.js';
import type { ArchitectureChoice } from './architecture.js';

/** Settings of an experiment. */
export interface ExperimentOptions
  extends ArchitectureChoice,
    Pick<
      TrainerSettings,
      | 'output'
      | 'loss'
      | 'labelSmoothing'
      | 'ignoreLabel'
      | 'rate'
      | 'schedule'
      | 'decayEpochs'
      | 'decay'
      | 'batch'
      | 'maxGradientNorm'
      | 'augment'
    > {
  /** Samples for training and, without `test`, for the test: a tenth of them. */
  readonly data: LabelledDataMaker;
  /** Samples for the test. */
  readonly test?: LabelledDataMaker | undefined;
  /** Names of the activations; default: relu, leakyrelu, swish and mish. The first, or relu among them, is the baseline. */
  readonly activations?: readonly string[] | undefined;
  /** Number of passes over the training samples; default 50. */
  readonly epochs?: number | undefined;
  /** Default: RMSProp, as in the experiments with Mish. */
  readonly optimizer?: OptimizerOptions | undefined;
  /** Share of all steps over which the learning rate rises; default 0. */
  readonly warmUp?: number | undefined;
  /** Number of seeds; default 3. */
  readonly seeds?: number | undefined;
  /** The first seed; default 0. */
  readonly seed?: number | undefined;
  /**
   * Whether a batch normalisation goes behind each convolution without one. Default: where the model has convolutions and no
   * normalisation of any kind.
   */
  readonly batchNorm?: boolean | undefined;
  /** Receives advice: on samples whose values are too large for new weights, and on globs that match no activation. */
  readonly onDoubt?: ((advice: Advice) => void) | undefined;
  /** Loss landscape of the first seed's runs; none with `false`. */
  readonly landscape?: LandscapeSettings | false | undefined;
  /** Provider that trains and tests; default the CPU. */
  readonly provider?: Provider | undefined;
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Size of a loss landscape. */
export interface LandscapeSettings {
  /** Number of points along each direction; default 21. */
  readonly points?: number | undefined;
  /** Distance to the edge in filter norms; default 1. */
  readonly span?: number | undefined;
  /** Maximum number of test samples; default 500. */
  readonly images?: number | undefined;
}
