import type { onnx } from '../../proto/onnx.js';
import { floats, halves } from './model.js';

export type Element = 'f16' | 'f32' | 'f64';

/** An initializer of a float type. */
export function tensorOf(
  name: string,
  type: Element,
  dims: readonly number[],
  data: readonly number[],
): onnx.ITensorProto {
  if (type !== 'f64') return (type === 'f16' ? halves : floats)(name, dims, data);
  return { name, dataType: 11, dims: [...dims], rawData: new Uint8Array(new Float64Array(data).buffer) };
}
