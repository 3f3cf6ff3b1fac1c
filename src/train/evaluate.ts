// Loss and correctness of a model on samples, by the model's inference.
import { stopIfAborted } from '../base/abort.js';
import { OnnxMishError } from '../base/error.js';
import { ownProperty } from '../base/own.js';
import type { Samples } from '../data/samples.js';
import { type IouMeter, iouMeter } from '../metrics/mean-iou.js';
import {
  areLabels,
  exactMatch,
  type F1Meter,
  f1Meter,
  type MultiLabelScores,
} from '../metrics/multi-label.js';
import { highestAt, type ScoreLayout, scoreLayout } from '../metrics/score-layout.js';
import type { Session } from '../providers/provider.js';
import { elementCount, toNumbers } from '../providers/tensor.js';
import { batchArrays } from './batches.js';
import type { LossName } from './losses.js';
import type { TargetRows } from './targets.js';

/** Loss and correctness of a model on samples. */
export interface Evaluation {
  /** Mean loss. */
  readonly loss: number;
  /** Share of correct predictions; null for a loss without predictions. */
  readonly accuracy: number | null;
  /** Loss of each sample; 0 for one without predictions that count. */
  readonly losses: Float64Array;
  /** Number of correct predictions of each sample; null for a loss without predictions. */
  readonly correct: Uint32Array | null;
  /** Number of predictions of each sample that count: those with a label that is not ignored; null for a loss without predictions. */
  readonly counted: Uint32Array | null;
  /** Number of predictions of a sample; 0 for a loss without predictions. */
  readonly perSample: number;
  /** Mean intersection over union of the classes, for a class at each place of a sample; null for other losses. */
  readonly meanIou: number | null;
  /** Measures of several labels per sample, for binary cross-entropy; null for other losses. */
  readonly multiLabel: MultiLabelScores | null;
  /** Predicted class of each sample; null unless the loss is cross-entropy of one class per sample. */
  readonly predictions: Uint32Array | null;
}

export interface EvaluateOptions {
  readonly loss: LossName;
  /** The output that the loss is computed from, before a final activation that the loss includes. */
  readonly scores: string;
  /** Shape of the output for one sample. */
  readonly outputDims: readonly number[];
  /** Where the classes are in the output; by default on its second axis. */
  readonly layout?: ScoreLayout | undefined;
  readonly batch: number;
  readonly signal?: AbortSignal | undefined;
}

/** Evaluates an open model. The last batch is filled up with its last sample, which counts once. Throws `run-failed`, `aborted`. */
export async function evaluateSession(
  session: Session,
  samples: Samples,
  rows: TargetRows,
  { loss, scores, outputDims, layout = scoreLayout(outputDims), batch, signal }: EvaluateOptions,
): Promise<Evaluation> {
  const { count } = samples;
  const length = elementCount(outputDims);
  const feeds = batchArrays(samples, batch);
  const targets = new Float32Array(batch * length);
  const losses = new Float64Array(count);
  const predictions = new Uint32Array(count);
  const correct = new Uint32Array(count);
  const counted = new Uint32Array(count);
  const scorer = SCORERS[loss];
  const iou = loss === 'cross-entropy' && layout.places > 1 ? iouMeter(layout.classes) : undefined;
  const f1 = loss === 'bce' && areLabels(outputDims) ? f1Meter(length) : undefined;
  for (let start = 0; start < count; start += batch) {
    stopIfAborted(signal);
    const indices = Uint32Array.from({ length: batch }, (_, place) => Math.min(start + place, count - 1));
    await samples.read(indices, feeds);
    rows.read(indices, targets);
    const output = ownProperty(await session.run(feeds), scores);
    const values = output && toNumbers(output);
    if (values === undefined || values.length !== batch * length)
      throw new OnnxMishError('run-failed', `the output '${scores}' has another shape than in training`);
    for (let place = 0; place < batch && start + place < count; place++) {
      const row = scorer(values, targets, place * length, length, layout, { iou, f1 });
      losses[start + place] = row.loss;
      correct[start + place] = row.correct;
      counted[start + place] = row.counted;
      predictions[start + place] = row.prediction;
    }
  }
  const perSample = predictionsPerSample(loss, outputDims, layout);
  const all = totalOf(counted);
  return {
    // A sample with fewer predictions that count weighs less.
    loss:
      all === perSample * count
        ? totalOf(losses) / Math.max(1, count)
        : totalOf(losses.map((value, at) => value * (counted[at] ?? 0))) / Math.max(1, all),
    accuracy: perSample === 0 ? null : totalOf(correct) / Math.max(1, all),
    losses,
    correct: perSample === 0 ? null : correct,
    counted: perSample === 0 ? null : counted,
    perSample,
    meanIou: iou?.value() ?? null,
    multiLabel: f1 === undefined ? null : { exactMatch: exactMatch(correct, counted), ...f1.value() },
    predictions: loss === 'cross-entropy' && layout.places === 1 ? predictions : null,
  };
}

const totalOf = (values: Float64Array | Uint32Array) => {
  let total = 0;
  for (const value of values) total += value;
  return total;
};

/** Result of one sample. */
interface ScoredRow {
  readonly loss: number;
  readonly correct: number;
  readonly counted: number;
  readonly prediction: number;
}

type Scorer = (
  scores: ArrayLike<number>,
  targets: Float32Array,
  from: number,
  length: number,
  layout: ScoreLayout,
  meters: { readonly iou: IouMeter | undefined; readonly f1: F1Meter | undefined },
) => ScoredRow;

const SCORERS: Readonly<Record<LossName, Scorer>> = {
  'cross-entropy'(scores, targets, from, _, { classes, places, classStride, placeStride }, { iou }) {
    let [loss, correct, counted, prediction] = [0, 0, 0, 0];
    for (let place = 0; place < places; place++) {
      const start = from + place * placeStride;
      const end = start + classes * classStride;
      prediction = highestAt(scores, start, classes, classStride);
      const label = highestAt(targets, start, classes, classStride);
      if (targets[start + label * classStride] === 0) continue;
      counted++;
      iou?.add(label, prediction);
      const top = scores[start + prediction * classStride] ?? 0;
      let sum = 0;
      for (let at = start; at < end; at += classStride) sum += Math.exp((scores[at] ?? 0) - top);
      const offset = top + Math.log(sum);
      for (let at = start; at < end; at += classStride) {
        const target = targets[at] ?? 0;
        // A score of −Infinity counts only where the target is above 0.
        if (target > 0) loss += target * (offset - (scores[at] ?? 0));
      }
      if (prediction === label) correct++;
    }
    return { loss: loss / Math.max(1, counted), prediction, correct, counted };
  },
  bce(scores, targets, from, length, _, { f1 }) {
    let loss = 0;
    let correct = 0;
    for (let at = from; at < from + length; at++) {
      const [score, target] = [scores[at] ?? 0, targets[at] ?? 0];
      loss += Math.max(score, 0) + Math.log1p(Math.exp(-Math.abs(score))) - score * target;
      f1?.add(at - from, Number(target > 0.5), Number(score > 0));
      if (score > 0 === target > 0.5) correct++;
    }
    return { loss: loss / length, correct, counted: length, prediction: 0 };
  },
  mse(scores, targets, from, length) {
    let loss = 0;
    for (let at = from; at < from + length; at++) loss += ((scores[at] ?? 0) - (targets[at] ?? 0)) ** 2;
    return { loss: loss / length, correct: 0, counted: 0, prediction: 0 };
  },
};

/** Returns the number of predictions of a sample; 0 for a loss without predictions. */
export function predictionsPerSample(
  loss: LossName,
  dims: readonly number[],
  { places }: ScoreLayout,
): number {
  if (loss === 'mse') return 0;
  return loss === 'bce' ? elementCount(dims) : places;
}
