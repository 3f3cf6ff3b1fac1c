export interface WakeWord {
  phrase: string;
  /** Recordings of the phrase: `positives` at which the original embedding fires, and those at which it stays silent. */
  tried: number;
  positives: number;
  /** Of the positives, at how many this embedding fires. */
  fired: number;
  /** At how many of the others of `tried` it fires, where the original does not. */
  gained: number;
  /** Other speech: sentences, near misses, and the other phrases. */
  negatives: number;
  falseAlarms: number;
  /** What was said when it should have stayed silent. */
  alarms: string[];
}

export declare const THRESHOLD: number;

/** Undefined where espeak-ng is missing. */
export declare function wakeWords(
  embedding: Uint8Array | string,
  options?: { seed?: number; positives?: number; negatives?: number },
): Promise<WakeWord[] | undefined>;
