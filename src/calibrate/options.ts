import type { Dataset, Feeds } from '../data/dataset.js';
import type { SwapOptions } from '../mish/swap.js';
import type { Provider, SessionOptions, ValueInfo } from '../providers/provider.js';
import type { Method } from './repair/least-squares.js';
import type { LinearLayer } from './repair/linear-layers.js';
import type { Limit } from './select/budget.js';

/**
 * Options of a calibration. With `int8`, the model is quantised, and is so again after the repair: weights, biases and the tensors
 * between layers get new scales.
 */
export interface CalibrateOptions
  extends Pick<
    SwapOptions,
    'to' | 'alpha' | 'only' | 'include' | 'exclude' | 'form' | 'target' | 'leaky' | 'fold' | 'strict' | 'int8'
  > {
  /**
   * Sharpness β of every site, written as nodes; 1 is Mish itself. By default each site gets the largest sharpness at which
   * the share `curved` of its inputs still lies where Mish is curved, folded into weights; sites where it cannot be folded
   * keep β = 1. Swish, GELU and HardSwish get one as well: f(βx) / β. `auto`, for Mish, raises these further until the budget holds.
   */
  readonly beta?: number | 'auto' | undefined;
  /**
   * Share of a site's inputs that the default sharpness keeps where the new activation is curved; default 0.75. That is |βx| < 4 for
   * Mish and Swish, |βx| < 3 for HardSwish, and |βx| < 2 for GELU. Refused beside a number for `beta`, and for activations without a
   * sharpness.
   */
  readonly curved?: number | undefined;
  /** Budget for `auto`; default agreement>=0.98, or sqnr>=30 if no output looks like class scores. */
  readonly budget?: readonly Limit[] | undefined;
  /** Returns the data set for the model's inputs and outputs. Labels only serve the report. */
  readonly data: (inputs: readonly ValueInfo[], outputs: readonly ValueInfo[]) => Dataset<Feeds>;
  /** Names of the outputs that count when models are compared; default all outputs of floats. */
  readonly outputs?: readonly string[] | undefined;
  /** Maximum number of samples; default 20,000. */
  readonly samples?: number | undefined;
  /** Approximate maximum number of rows (pairs of a layer's input and output vectors) for each layer; default 15,000. */
  readonly rows?: number | undefined;
  /** Ridge of every layer, as a share of its inputs' mean variance; default: the validation samples choose for each layer. */
  readonly ridge?: number | undefined;
  /** Methods to try for each layer; default all. */
  readonly methods?: readonly Method[] | undefined;
  /**
   * Network that supplies a layer's inputs: `repaired`, the network as repaired so far (asymmetric reconstruction), the
   * default; or `original`, the original with only the sites directly before the layer swapped.
   */
  readonly inputs?: 'repaired' | 'original' | undefined;
  /**
   * Whether layers get copies of weights that something else reads as well, so that they can be repaired; default true. Before a
   * training, copies would be trained apart.
   */
  readonly copies?: boolean | undefined;
  /** Returns whether to repair a layer; default all. */
  readonly layers?: ((layer: LinearLayer) => boolean) | undefined;
  /**
   * Number of gradient steps on all layers together, after least squares; 0 for none. By default rounds of 200 steps, as
   * long as a round lowers the validation loss by 2 % and 45 seconds allow.
   */
  readonly steps?: number | undefined;
  /**
   * Maximum number of gradient steps of all rounds. With it, the work of the steps and not the clock limits the rounds, so that the same
   * seed gives the same bytes on a busy machine, too.
   */
  readonly maxSteps?: number | undefined;
  /** Seed for splitting the samples and choosing the rows; default 0. The same seed and `steps` give the same bytes on the same machine. */
  readonly seed?: number | undefined;
  /** Provider that runs the models; default the CPU. */
  readonly provider?: Provider | undefined;
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Receives each remark about the samples before the work starts. */
  readonly onNote?: ((note: string) => void) | undefined;
  /** Receives the name of the step, the number of its finished units and their total. */
  readonly onProgress?: ((step: string, done: number, of: number) => void) | undefined;
}
