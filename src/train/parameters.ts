import type { OnnxDocument } from '../onnx/document.js';
import { type OpenData, readWeight, type Weight } from '../onnx/weights.js';

/** A weight that training moves. */
export interface Parameter {
  readonly weight: Weight;
  readonly values: Float32Array;
  /** The usual size of its values. Learning rates are relative to it. */
  readonly scale: number;
}

/** Reads a float32 weight as a parameter. Its scale is the root mean square of its values, or `minScale` where that is more. */
export async function readParameter(
  document: OnnxDocument,
  weight: Weight,
  openData: OpenData | undefined,
  minScale = 0,
): Promise<Parameter> {
  const values = Float32Array.from(await readWeight(document, weight, openData));
  const size = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
  return { weight, values, scale: Math.max(size, minScale) };
}
