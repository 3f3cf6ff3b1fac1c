/** Loss and accuracy; accuracy is a share, and null for a loss without predictions. */
export interface EpochScore {
  readonly loss: number;
  readonly accuracy: number | null;
}

/** A finished epoch of a training. Loss and accuracy are means over what counts in its batches, each before its step. */
export interface Epoch extends EpochScore {
  /** Number of the epoch, from 1. */
  readonly epoch: number;
  /** Score on the validation samples after the epoch; null without them. */
  readonly validation: EpochScore | null;
  /** Learning rate of the last step. */
  readonly rate: number;
  readonly seconds: number;
  readonly steps: number;
}

/** Returns whether a score is better: by accuracy, then by loss. */
export function isBetter(score: EpochScore, than: EpochScore): boolean {
  const [accuracy, other] = [score.accuracy ?? 0, than.accuracy ?? 0];
  return accuracy === other ? score.loss < than.loss : accuracy > other;
}
