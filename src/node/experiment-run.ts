import type { ExperimentOptions } from '../experiment/options.js';
import { prepareExperiment } from '../experiment/prepare.js';
import { experimentReport } from '../experiment/report.js';
import type { ExperimentReport, ExperimentRun } from '../experiment/report-schema.js';
import { type ExperimentEvent, runExperiment } from '../experiment/run-experiment.js';
import { trainingFacts } from '../experiment/training-facts.js';
import type { RunnableModel } from '../providers/provider.js';
import { onCpu } from './calibrate-files.js';
import { host } from './host.js';
import { withModel } from './load-model.js';

export interface ExperimentHooks {
  /** Receives each finished epoch and each finished run. */
  readonly onEvent?: ((event: ExperimentEvent) => void) | undefined;
}

/**
 * Trains an architecture from new weights with each activation and seed, one run after the other in this process, and returns the
 * report. `model` is a path or bytes; its weights are not used. Throws as `createTrainer` does, `bad-usage` for options that cannot be
 * used, and `aborted`.
 *
 * @example
 * import { experiment } from 'onnx-mish/experiment';
 * import { labelledArrays } from 'onnx-mish/finetune';
 *
 * const images = { elemType: 'f32', dims: [256, 1, 28, 28], data: new Float32Array(256 * 784) };
 * const labels = Array.from({ length: 256 }, (_, index) => index % 10);
 * const report = await experiment('model.onnx', {
 *   data: (inputs) => labelledArrays({ images }, labels, inputs),
 *   activations: ['relu', 'mish'],
 *   epochs: 1,
 *   seeds: 1,
 *   landscape: false,
 * });
 * console.log(report.conclusion);
 */
export function experiment(
  model: RunnableModel,
  options: ExperimentOptions & ExperimentHooks,
): Promise<ExperimentReport> {
  return withModel(
    model,
    async (loaded) => {
      const prepared = await prepareExperiment(loaded, onCpu(options));
      const training = await trainingFacts(prepared);
      const runs: ExperimentRun[] = [];
      for await (const event of runExperiment(prepared)) {
        options.onEvent?.(event);
        if (event.kind === 'run') runs.push(event.run);
      }
      return experimentReport(prepared, runs, { host: host(), training });
    },
    options,
  );
}
