import { onnx } from '../../proto/onnx.js';
import { composeModel } from '../../src/onnx/compose.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { createTape, type Tape } from '../../src/train/autodiff/tape.js';

interface Given {
  readonly dims: readonly number[];
  readonly data: ArrayLike<number>;
}

/** Runs what `write` puts on a tape, by default of opset 13, and gives the elements of the tensors that it names. */
export async function runTape<K extends string>(
  inputs: Readonly<Record<string, Given>>,
  write: (tape: Tape) => Readonly<Record<K, string>>,
  opset = 13,
): Promise<Record<K, number[]>> {
  const tape = createTape(opset, (name) => inputs[name]?.dims ?? [], 'tape/');
  const names = Object.entries<string>(write(tape));
  const ranks = Object.entries(inputs).map(([name, { dims }]) => [name, dims.length] as const);
  // Ranks of outputs are inferred.
  const outputs = Object.fromEntries(names.map(([, name]) => [name, 1]));
  const model = onnx.ModelProto.decode(composeModel(tape.nodes, Object.fromEntries(ranks), outputs));
  for (const used of model.opsetImport) if (used.domain === '') used.version = opset;
  const session = await nodeProvider('cpu').open(onnx.ModelProto.encode(model).finish());
  const feeds = Object.entries(inputs).map(([name, { dims, data }]) => {
    return [name, { elemType: 'f32', dims, data: Float32Array.from(data) }] as const;
  });
  const results = await session.run(Object.fromEntries(feeds));
  await session.close();
  const values = names.map(([key, name]) => [key, Array.from(results[name]?.data as Float32Array)] as const);
  return Object.fromEntries(values) as Record<K, number[]>;
}

/** Counts the elements of the constants on a tape. */
export const storedElements = ({ nodes }: Pick<Tape, 'nodes'>): number =>
  nodes.reduce((sum, [, , , attributes = {}]) => {
    const { value } = attributes;
    return typeof value === 'object' && 'data' in value ? sum + value.data.length : sum;
  }, 0);
