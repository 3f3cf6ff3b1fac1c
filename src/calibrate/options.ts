import type { Dataset, Feeds } from '../data/dataset.js';
import type { SwapOptions } from '../mish/swap.js';
import type { Provider, SessionOptions, ValueInfo } from '../providers/provider.js';
import type { Method } from './repair/least-squares.js';
import type { LinearLayer } from './repair/linear-layers.js';
import type { Limit } from './select/budget.js';

export interface CalibrateOptions
  extends Pick<
    SwapOptions,
    'only' | 'include' | 'exclude' | 'form' | 'target' | 'leaky' | 'fold' | 'strict'
  > {
  /** Sharpness β: a number, 1 unless given, or `auto` for the smallest that keep the budget, each site its own. */
  readonly beta?: number | 'auto' | undefined;
  /** What `auto` has to keep: agreement>=0.98 unless given, or sqnr>=30 where no output looks like class scores. */
  readonly budget?: readonly Limit[] | undefined;
  /** Makes feeds for a model that has these inputs and outputs. Labels only serve the report. */
  readonly data: (inputs: readonly ValueInfo[], outputs: readonly ValueInfo[]) => Dataset<Feeds>;
  /** Samples to use at the most; 512 unless given. */
  readonly samples?: number | undefined;
  /** Rows that each layer's weights are solved from, about; 15,000 unless given. */
  readonly rows?: number | undefined;
  /** The one ridge for every layer, a share of its inputs' mean variance; chosen for each on held-out samples unless given. */
  readonly ridge?: number | undefined;
  /** Ways to repair a layer that are tried; all unless given. */
  readonly methods?: readonly Method[] | undefined;
  /**
   * Whose activations layers are solved for: of the network as repaired so far (asymmetric reconstruction), unless given,
   * or of the original, with the sites next before the layer swapped.
   */
  readonly inputs?: 'repaired' | 'original' | undefined;
  /** Which layers to repair; all unless given. */
  readonly layers?: ((layer: LinearLayer) => boolean) | undefined;
  /** Gradient steps on all layers together after that; 200 unless given, 0 for none. */
  readonly steps?: number | undefined;
  /** Seed of the split of the samples and of the choice of rows; 0 unless given. The same seed gives the same bytes. */
  readonly seed?: number | undefined;
  /** The CPU unless given. */
  readonly provider?: Provider | undefined;
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told what is being done, and how many of how many steps are. */
  readonly onProgress?: ((step: string, done: number, of: number) => void) | undefined;
}
