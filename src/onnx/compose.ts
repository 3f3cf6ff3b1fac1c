import { onnx } from '../../proto/onnx.js';

/** A node of a model made here: operator, inputs, outputs and whole-number attributes. */
export type ComposedNode = readonly [
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes?: Readonly<Record<string, number>>,
];

/**
 * A small float32 model that does arithmetic of our own on ONNX Runtime; every dimension is free. `inputs` and `outputs`
 * give names and ranks. Opset 13.
 */
export function composeModel(
  nodes: readonly ComposedNode[],
  inputs: Readonly<Record<string, number>>,
  outputs: Readonly<Record<string, number>>,
): Uint8Array {
  const { INT } = onnx.AttributeProto.AttributeType;
  const value = ([name, rank]: readonly [string, number]) => {
    const dim = Array.from({ length: rank }, (_, axis) => ({ dimParam: `${name}_${axis}` }));
    return { name, type: { tensorType: { elemType: onnx.TensorProto.DataType.FLOAT, shape: { dim } } } };
  };
  return onnx.ModelProto.encode({
    irVersion: 7,
    producerName: 'onnx-mish',
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'composed',
      node: nodes.map(([opType, input, output, attributes = {}]) => ({
        opType,
        input: [...input],
        output: [...output],
        attribute: Object.entries(attributes).map(([name, i]) => ({ name, type: INT, i })),
      })),
      input: Object.entries(inputs).map(value),
      output: Object.entries(outputs).map(value),
    },
  }).finish();
}
