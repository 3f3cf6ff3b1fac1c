import { onnx } from '../../proto/onnx.js';
import { FLOAT_TYPES, type FloatType } from '../onnx/types.js';
import { constantNode, emit } from './emit.js';
import { FORMS, type FormName } from './forms.js';

/** Activation of a model that measures a kernel. */
export type Kernel =
  | { readonly kind: 'mish'; readonly form: FormName; readonly beta: number }
  | { readonly kind: 'mixture'; readonly form: FormName; readonly beta: number; readonly alpha: number }
  | { readonly kind: 'relu' }
  | { readonly kind: 'leakyrelu'; readonly alpha: number };

/** Chooses an IR version that runtimes of this opset can read. */
const irFor = (opset: number) => (opset >= 22 ? 10 : opset >= 18 ? 8 : opset >= 13 ? 7 : 4);

/**
 * Builds a model with a single activation, for measuring its kernel. Input `x` and output `y` have the element type and
 * shape [N], N free.
 */
export function kernelModel(kernel: Kernel, type: FloatType, opset: number): Uint8Array {
  const constants = new Map<string, onnx.INodeProto>();
  const nodes = ((): onnx.INodeProto[] => {
    if (kernel.kind === 'relu') return [{ opType: 'Relu', input: ['x'], output: ['y'] }];
    if (kernel.kind === 'leakyrelu') {
      const alpha = { name: 'alpha', type: onnx.AttributeProto.AttributeType.FLOAT, f: kernel.alpha };
      return [{ opType: 'LeakyRelu', input: ['x'], output: ['y'], attribute: [alpha] }];
    }
    return emit({
      form: FORMS[kernel.form],
      beta: kernel.beta,
      leak: kernel.kind === 'mixture' ? kernel.alpha : undefined,
      types: [type],
      opset,
      x: 'x',
      y: 'y',
      prefix: 'kernel',
      fresh: (name) => name,
      constant: (label, value) => {
        constants.set(label, constantNode(label, value, type));
        return label;
      },
    });
  })();
  const shape = { dim: [{ dimParam: 'N' }] };
  const value = (name: string) => ({ name, type: { tensorType: { elemType: FLOAT_TYPES[type], shape } } });
  return onnx.ModelProto.encode({
    irVersion: irFor(opset),
    producerName: 'onnx-mish',
    opsetImport: [{ domain: '', version: opset }],
    graph: {
      name: 'kernel',
      node: [...constants.values(), ...nodes],
      input: [value('x')],
      output: [value('y')],
    },
  }).finish();
}
