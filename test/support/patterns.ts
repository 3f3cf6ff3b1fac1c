import type { onnx } from '../../proto/onnx.js';
import { scalarTensor } from '../../src/onnx/scalar.js';
import type { FloatType } from '../../src/onnx/types.js';
import { node } from './model.js';

/** A Constant node for a scalar, as PyTorch's exporter writes one. */
export function constant(name: string, value: number, type: FloatType = 'f32'): onnx.INodeProto {
  return node('Constant', [], [name], { value: { tensor: scalarTensor(value, type) } });
}

/** Mish as PyTorch, YOLOv4 and most others export it: from `x` to `y`, inner values `sp` and `th`. */
export function torchMish(x = 'x', y = 'y', order: 'x first' | 'x last' = 'x first'): onnx.INodeProto[] {
  const [sp, th] = [`/${y}/Softplus_output_0`, `/${y}/Tanh_output_0`];
  return [
    node('Softplus', [x], [sp], {}, { name: `/${y}/Softplus` }),
    node('Tanh', [sp], [th], {}, { name: `/${y}/Tanh` }),
    node('Mul', order === 'x first' ? [x, th] : [th, x], [y], {}, { name: `/${y}/Mul` }),
  ];
}
