export interface LargeModel {
  /** A multiple of ten; every tenth is a Relu. */
  readonly nodes: number;
  /** Bytes of weights, besides those of the nodes. */
  readonly weights?: number;
  /** Weights that are numbers on the disk, rather than zeros in a hole of the file. */
  readonly dense?: boolean;
}

/** Writes a model that ONNX Runtime runs, from x to y of float32 [1, 4], in a few blocks of memory. */
export function writeLargeModel(path: string, model: LargeModel): void;
