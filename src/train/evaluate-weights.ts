// The model of a training with other weights.

import { extractEdits } from '../onnx/extract.js';
import { indexGraphs } from '../onnx/graph-index.js';
import { splice } from '../onnx/splice.js';
import { withSession } from '../providers/with-session.js';
import { type Evaluation, evaluateSession } from './evaluate.js';
import { type FilterLayout, filterLayout } from './filters.js';
import { stateEdits } from './state-edits.js';
import type { ProviderTrainerOptions, ResolvedSettings } from './trainer-options.js';
import type { CheckedSamples, TrainingPlan } from './training-plan.js';

type Values = ReadonlyMap<string, Float32Array>;

/** Returns the filters of each weight that has filters, by name. */
export function filtersOf({
  model: { document },
  step,
  dims,
}: TrainingPlan): ReadonlyMap<string, FilterLayout> {
  const index = indexGraphs(document);
  const found = new Map<string, FilterLayout>();
  for (const { input, weight } of step.state) {
    const layout = weight && filterLayout(document.graph, index, weight, dims);
    if (layout !== undefined) found.set(input, layout);
  }
  return found;
}

/** Runs the model with these weights on samples. */
export async function evaluateWeights(
  plan: TrainingPlan,
  weights: Values,
  { samples, rows }: CheckedSamples,
  { loss }: ResolvedSettings,
  options: ProviderTrainerOptions,
): Promise<Evaluation> {
  const { model, step, batch, outputDims } = plan;
  const { document } = model;
  const edits = [
    ...extractEdits(document, [step.scores]),
    ...(await stateEdits(document, step.state, weights)),
  ];
  const scores = {
    loss,
    scores: step.scores,
    outputDims,
    layout: step.layout,
    batch,
    signal: options.signal,
  };
  return model.withEdited(splice(document.source, edits), (copy) =>
    withSession(copy, options, (session) => evaluateSession(session, samples, rows, scores)),
  );
}
