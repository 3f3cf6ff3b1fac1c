import { OnnxMishError } from '../base/error.js';
import type { OptionHint } from '../base/option-hint.js';
import { ownProperty } from '../base/own.js';
import { plural } from '../base/plural.js';
import { type Tensor, type Tensors, toNumbers } from '../providers/tensor.js';
import type { AccuracyMeter } from './accuracy.js';

/** A meter for one score per sample. */
export interface BinaryAccuracyMeter extends AccuracyMeter {
  /** Returns the threshold: samples with a greater score count as class 1. */
  threshold(): number;
}

/** Tells whether an output is one float score per sample: [samples], or [samples, 1] with more dimensions of 1. */
export function isOneScore({ elemType, dims }: Pick<Tensor, 'elemType' | 'dims'>): boolean {
  return /^(f|bf)\d/.test(elemType) && dims.length > 0 && dims.slice(1).every((dim) => dim === 1);
}

/** Returns the output with one score per sample; undefined if there is none, or several. */
export function oneScoreAmong(outputs: readonly string[], tensors: Tensors): string | undefined {
  const found = outputs.filter((name) => {
    const tensor = ownProperty(tensors, name);
    return tensor !== undefined && isOneScore(tensor);
  });
  return found.length === 1 ? found[0] : undefined;
}

/**
 * Returns a meter for the share of samples that lie on the right side of a threshold. Labels are 0 and 1. Without `thresholdOf`, the
 * threshold follows from the scores: 0.5 if all of them lie between 0 and 1, as probabilities do, otherwise 0. With
 * `drawn`, messages name no sample numbers, because the samples are a selection.
 */
export function binaryAccuracyMeter(
  output: string,
  labels: ArrayLike<number>,
  { thresholdOf, drawn = false }: { readonly thresholdOf?: () => number; readonly drawn?: boolean } = {},
): BinaryAccuracyMeter {
  const scores: number[] = [];
  const bad = (what: string, fix: string, option?: OptionHint) =>
    new OnnxMishError('bad-data', what, { where: output, fix, option });
  const threshold = thresholdOf ?? (() => (scores.every((score) => !(score < 0 || score > 1)) ? 0.5 : 0));
  const correct = () => {
    const limit = threshold();
    // Both comparisons are false for NaN, which is wrong for every label.
    return Uint8Array.from(scores, (score, at) =>
      (labels[at] === 1 ? score > limit : score <= limit) ? 1 : 0,
    );
  };
  const checkLabel = (label: number, sample: number) => {
    if (label !== 0 && label !== 1)
      throw bad(
        `label ${label}${drawn ? '' : ` of sample ${sample}`} is neither 0 nor 1, and the output has one score per sample`,
        'Give labels of 0 and 1',
      );
  };
  return {
    check() {
      for (let sample = 0; sample < labels.length; sample++) checkLabel(labels[sample] as number, sample);
    },
    add(tensor) {
      const numbers = tensor && isOneScore(tensor) ? toNumbers(tensor) : undefined;
      if (numbers === undefined) {
        throw bad('its shape changed between runs to one that is not [samples, 1]', 'Leave out the labels', {
          labels: null,
        });
      }
      for (let at = 0; at < numbers.length; at++) {
        checkLabel(labels[scores.length] ?? 0, scores.length); // `result` reports a missing label
        scores.push(numbers[at] ?? 0);
      }
    },
    result() {
      const n = scores.length;
      if (n !== labels.length || n === 0) {
        throw bad(
          `it has ${plural(n, 'row')} for ${plural(labels.length, 'label')}`,
          'Give one label for each row',
        );
      }
      return { n, top1: correct().reduce((sum, right) => sum + right, 0) / n, top5: null };
    },
    correct,
    threshold,
  };
}
