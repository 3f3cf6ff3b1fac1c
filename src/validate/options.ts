import type { Advice } from '../base/option-hint.js';
import type { Dataset, Feeds } from '../data/dataset.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { Pairs, Provider, ProviderName, SessionOptions, ValueInfo } from '../providers/provider.js';
import type { LatencyOptions } from './latency.js';
import type { Host, ModelInfo, ProviderRow } from './report-schema.js';
import type { Thresholds } from './thresholds.js';

/** A model to validate, with its entry in the report. */
export interface InspectedModel {
  readonly model: LoadedModel;
  readonly info: ModelInfo;
}

export interface ValidationOptions {
  readonly original: InspectedModel;
  readonly swapped: InspectedModel;
  /** Providers to run on. */
  readonly providers: readonly Provider[];
  /** The reference for parity. */
  readonly cpu: Provider;
  /** Returns the data set for the original's inputs and outputs. */
  readonly data: (inputs: readonly ValueInfo[], outputs: readonly ValueInfo[]) => Dataset<Feeds>;
  readonly host: Omit<Host, 'onnxruntime'>;
  readonly session?: SessionOptions | undefined;
  /** Options of the latency measurement; false for no measurement. */
  readonly latency?: LatencyOptions | false | undefined;
  readonly thresholds?: Thresholds | undefined;
  /** Whether to compare inner tensors: the swapped model with the original, and each provider with the CPU. */
  readonly perLayer?: boolean | undefined;
  /** Whether to profile the models with ONNX Runtime's profiler, on the providers of this process. */
  readonly profile?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Receives the name of each step as it starts. */
  readonly onProgress?: ((step: string) => void) | undefined;
  /** Receives advice if the samples do not look like those that the original was trained on. */
  readonly onDoubt?: ((advice: Advice) => void) | undefined;
  /** Receives each row of the report as soon as the row is complete. */
  readonly onRow?: ((row: ProviderRow) => void) | undefined;
  /** Receives the times of pairs of runs while the latency is measured, in milliseconds. */
  readonly onPairs?: ((provider: ProviderName, times: Pairs['times']) => void) | undefined;
}
