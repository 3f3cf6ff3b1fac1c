import type { OnnxDocument } from '../onnx/document.js';
import { type OpenData, readWeight, type Weight } from '../onnx/weights.js';

/** A weight that training changes. */
export interface Parameter {
  readonly weight: Weight;
  readonly values: Float32Array;
  /** Typical magnitude of the values. Learning rates are relative to this scale. */
  readonly scale: number;
}

/** Reads a float32 weight as a parameter. Its scale is the root mean square of its values, at least `minScale`. */
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
