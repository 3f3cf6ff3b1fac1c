import type { Dataset, Feeds } from '../data/dataset.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { Pairs, Provider, ProviderName, SessionOptions, ValueInfo } from '../providers/provider.js';
import type { LatencyOptions } from './latency.js';
import type { Host, ModelInfo, ProviderRow } from './report-schema.js';
import type { Thresholds } from './thresholds.js';

/** A model to validate: what to open, and what is known of it. */
export interface InspectedModel {
  readonly model: LoadedModel;
  readonly info: ModelInfo;
}

export interface ValidationOptions {
  readonly original: InspectedModel;
  readonly swapped: InspectedModel;
  /** Where to run. */
  readonly providers: readonly Provider[];
  /** The reference for parity. */
  readonly cpu: Provider;
  /** Makes the feeds, once the inputs and outputs of the original are known. */
  readonly data: (inputs: readonly ValueInfo[], outputs: readonly ValueInfo[]) => Dataset<Feeds>;
  readonly host: Omit<Host, 'onnxruntime'>;
  readonly session?: SessionOptions | undefined;
  /** False to measure none. */
  readonly latency?: LatencyOptions | false | undefined;
  readonly thresholds?: Thresholds | undefined;
  /** Compare the tensors inside as well: original and swapped on the CPU, and each provider with the CPU. */
  readonly perLayer?: boolean | undefined;
  /** Have ONNX Runtime's profiler say where the time goes, on the providers of this process. */
  readonly profile?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told what is being done. */
  readonly onProgress?: ((step: string) => void) | undefined;
  /** Told each row of the report as soon as it is complete. */
  readonly onRow?: ((row: ProviderRow) => void) | undefined;
  /** Told the times of pairs of runs while they are measured, in milliseconds. */
  readonly onPairs?: ((provider: ProviderName, times: Pairs['times']) => void) | undefined;
}
