// Tensors and their descriptions, from and to those of onnxruntime-node.
import type * as Ort from 'onnxruntime-node';
import { OnnxMishError } from '../../base/error.js';
import { CONTAINER_TYPE, elemTypeOf, ortType } from '../ort-types.js';
import type { ValueInfo } from '../provider.js';
import type { Tensor, Tensors, TypedArray } from '../tensor.js';

/** Converts the results of a run. */
export function fromResults(results: Ort.InferenceSession.OnnxValueMapType): Tensors {
  return Object.fromEntries(
    Object.entries(results).map(([key, value]) => [key, fromOrt(value as Ort.Tensor)]),
  );
}

/** Converts the description of an input or output. */
export function valueInfo(metadata: Ort.InferenceSession.ValueMetadata): ValueInfo {
  if (!metadata.isTensor) return { name: metadata.name, elemType: CONTAINER_TYPE, dims: [] };
  const elemType = elemTypeOf(metadata.type);
  return { name: metadata.name, elemType, dims: metadata.shape };
}

/** Converts a tensor to ONNX Runtime's. Throws `run-failed` for a type that onnxruntime-node does not take. */
export function toOrt(module: typeof Ort, { elemType, dims, data }: Tensor): Ort.Tensor {
  const type = ortType(elemType);
  if (type === undefined) {
    throw new OnnxMishError('run-failed', `onnxruntime-node takes no ${elemType} tensors`);
  }
  if (elemType === 'f16') return halfTensor(data as Uint16Array, dims);
  return new module.Tensor(type as 'float32', data as Float32Array, dims);
}

/**
 * Returns a float16 tensor. On Node 24 ONNX Runtime's Tensor converts bit patterns to a Float16Array, which its native
 * code cannot read ("not enough space: expected 6344, got 0", 1.30.0). The native code reads only the fields below and
 * does not check the class.
 */
function halfTensor(data: Uint16Array, dims: readonly number[]): Ort.Tensor {
  const fields = { type: 'float16', data, dims, size: data.length, location: 'cpu' } as const;
  return fields as unknown as Ort.Tensor;
}

function fromOrt({ type, dims, data }: Ort.Tensor): Tensor {
  const elemType = elemTypeOf(type);
  if (elemType !== 'f16') return { elemType, dims, data: data as TypedArray | string[] };
  const { buffer, byteOffset, length } = data as Uint16Array; // or a Float16Array, see halfTensor
  return { elemType, dims, data: new Uint16Array(buffer, byteOffset, length) };
}
