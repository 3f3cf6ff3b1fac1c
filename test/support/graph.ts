import { onnx } from '../../proto/onnx.js';
import { type SwapOptions, swap } from '../../src/mish/swap.js';
import { type ModelParts, model, node } from './model.js';

/** The message behind the bytes of a model. */
export function decode(bytes: Uint8Array): onnx.ModelProto {
  return onnx.ModelProto.decode(bytes);
}

/** The operators of a model's main graph, in order. */
export function ops(bytes: Uint8Array): string[] {
  return nodesOf(decode(bytes).graph).map(({ opType }) => opType ?? '');
}

/** A graph's nodes; none for a graph that is not there. */
export function nodesOf(graph: onnx.IGraphProto | null | undefined): onnx.INodeProto[] {
  return graph?.node ?? [];
}

/** Every graph of a model: the main one, function bodies and what is nested in them. */
export function allNodes(message: onnx.IModelProto): onnx.INodeProto[] {
  const below = (nodes: readonly onnx.INodeProto[]): onnx.INodeProto[] =>
    nodes.flatMap((one) => [
      one,
      ...(one.attribute ?? []).flatMap(({ g, graphs }) => [
        ...below(nodesOf(g)),
        ...(graphs ?? []).flatMap((graph) => below(nodesOf(graph))),
      ]),
    ]);
  return [
    ...below(nodesOf(message.graph)),
    ...(message.functions ?? []).flatMap((local) => below(local.node ?? [])),
  ];
}

/** Bytes and report of a swap. */
export async function swapped(bytes: Uint8Array, options: SwapOptions = {}) {
  const { output, report } = await swap(bytes, options);
  return { bytes: await output.bytes(), report };
}

/** A model of one Relu from x to y, which have one type unless said. */
export function reluModel(parts: Partial<ModelParts> = {}): Uint8Array {
  const y = parts.inputs?.map(({ type }): onnx.IValueInfoProto => ({ name: 'y', ...(type ? { type } : {}) }));
  return model({
    nodes: [node('Relu', ['x'], ['y'], {}, { name: 'act' })],
    ...(y === undefined ? {} : { outputs: y }),
    ...parts,
  });
}

/** The error that a promise rejects with; fails when it does not. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it should have been refused');
}
