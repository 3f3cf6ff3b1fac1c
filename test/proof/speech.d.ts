export interface Speech {
  /** [count, 76, 32, 1] */
  data: Float32Array;
  dims: [number, number, number, number];
  /** For each window the number of its utterance. */
  groups: number[];
  /** For each window when it begins in its recording, in seconds. */
  times: number[];
  utterances: { text: string; voice: string; speed: number; pitch: number; range: number }[];
}

/** Undefined where espeak-ng is missing. */
export declare function speechWindows(options?: {
  seed?: number;
  count?: number;
  perUtterance?: number;
}): Promise<Speech | undefined>;

export interface Apart {
  times?: readonly number[];
  gap?: number;
}
export declare function nearestNeighbours(
  rows: Float32Array,
  groups: readonly number[],
  options?: Apart,
): Int32Array;
export declare function nearestNeighbourAgreement(
  a: Float32Array,
  b: Float32Array,
  groups: readonly number[],
  options?: Apart,
): number;
