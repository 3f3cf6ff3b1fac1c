import type { onnx } from '../../proto/onnx.js';
import { createRandom, normal } from '../../src/base/random.js';
import { BLOCKS, NEWER, type Target } from './graph-blocks.js';
import { GraphBuilder, type GraphValue } from './graph-builder.js';
import { model, value } from './model.js';
import type { WebTensor } from './webgl-page.js';

export type { Target } from './graph-blocks.js';

/**
 * A small graph drawn from a seed: 3 to 12 nodes of operators that the target has, in structures that nets have
 * (`graph-blocks.ts`), with all dimensions known, weights as initializers and one or two float32 inputs.
 */
export interface RandomGraph {
  readonly seed: number;
  readonly opset: number;
  readonly inputs: readonly GraphValue[];
  readonly nodes: readonly onnx.INodeProto[];
  readonly initializers: readonly onnx.ITensorProto[];
  /** Inputs and what nodes make of float32, with their dimensions. */
  readonly values: readonly GraphValue[];
  /** The values that are outputs: those that no node reads, and sometimes one that is read. */
  readonly outputs: readonly string[];
}

const OPSETS: Readonly<Record<Target, readonly number[]>> = {
  webgl: [9, 11, 12, 13, 14, 17, 18],
  webgpu: [11, 12, 13, 14, 17, 18, 20, 21],
};

/** The graph of a seed: the same on every machine. */
export function randomGraph(seed: number, target: Target): RandomGraph {
  const opset = OPSETS[target][seed % OPSETS[target].length] ?? 17;
  const b = new GraphBuilder(seed, opset);
  const blocks = target === 'webgpu' ? [...BLOCKS, ...NEWER] : BLOCKS;
  const total = blocks.reduce((sum, [, weight]) => sum + weight, 0);
  let x = b.input(inputDims(b));
  const other = b.chance(0.15) ? b.input(x.dims) : undefined;
  if (other !== undefined) x = b.binary(b.pick(['Add', 'Mul']), x, other);
  const wanted = b.int(3, 10);
  for (let tries = 0; b.nodes.length < wanted && tries < 200; tries++) {
    let place = b.random() * total;
    const chosen = blocks.find(([, weight]) => {
      place -= weight;
      return place < 0;
    });
    // Mostly on from what came last; sometimes from before it, which makes a fork.
    const from = b.chance(0.9) ? x : b.pick(b.values.filter(({ dims }) => dims.length > 1));
    const made = chosen === undefined ? undefined : b.attempt(() => chosen[0](b, from, target));
    if (made !== undefined) x = made;
  }
  return { seed, opset, ...pickParts(b), outputs: outputsOf(b) };
}

const pickParts = ({ inputs, nodes, initializers, values }: GraphBuilder) => ({
  inputs,
  nodes,
  initializers,
  values,
});

function inputDims(b: GraphBuilder): number[] {
  const batch = b.chance(0.2) ? 2 : 1;
  const kind = b.random();
  if (kind < 0.72)
    return [
      batch,
      b.pick([1, 2, 3, 3, 4, 4, 5, 6, 8, 8, 9, 12]),
      b.pick([4, 5, 6, 8, 9]),
      b.pick([4, 5, 6, 8, 9]),
    ];
  if (kind < 0.86) return [b.int(1, 4), b.pick([3, 4, 6, 8, 10, 16])];
  return [batch, b.pick([2, 3, 4, 5, 8]), b.pick([3, 4, 6, 8])];
}

function outputsOf(b: GraphBuilder): string[] {
  const read = new Set(b.nodes.flatMap(({ input }) => input ?? []));
  const made = b.nodes.flatMap(({ output }) => output ?? []);
  const unread = made.filter((name) => !read.has(name));
  const floats = b.values.map(({ name }) => name).filter((name) => read.has(name) && made.includes(name));
  return b.chance(0.15) && floats.length > 0 ? [...unread, b.pick(floats)] : unread;
}

/**
 * The model of a graph, or of the part that these outputs need. The dimensions of what nodes make are written into
 * it only with `valueInfo`.
 */
export function modelOf(
  graph: RandomGraph,
  outputs: readonly string[] = graph.outputs,
  { valueInfo = false } = {},
): Uint8Array {
  const needed = new Set(outputs);
  const nodes = graph.nodes.toReversed().filter(({ input, output }) => {
    const isNeeded = output?.some((name) => needed.has(name)) ?? false;
    for (const name of isNeeded ? (input ?? []) : []) needed.add(name);
    return isNeeded;
  });
  const info = ({ name, dims }: GraphValue) => value(name, 1, dims);
  const made = graph.values.filter(
    ({ name }) => needed.has(name) && !graph.inputs.some((x) => x.name === name),
  );
  return model({
    opset: graph.opset,
    nodes: nodes.toReversed(),
    inputs: graph.inputs.filter(({ name }) => needed.has(name)).map(info),
    outputs: outputs.flatMap((name) => graph.values.filter((one) => one.name === name).map(info)),
    initializers: graph.initializers.filter(({ name }) => needed.has(name ?? '')),
    ...(valueInfo ? { values: made.filter(({ name }) => !outputs.includes(name)).map(info) } : {}),
  });
}

/** Feeds for the inputs of a graph, drawn from its seed. */
export function feedsOf({ seed, inputs }: RandomGraph): Record<string, WebTensor> {
  const random = createRandom(seed ^ 0x5eed);
  return Object.fromEntries(
    inputs.map(({ name, dims }) => {
      const size = dims.reduce((count, dim) => count * dim, 1);
      const data = Array.from({ length: size }, () => Math.fround(1.5 * normal(random)));
      return [name, { type: 'float32', dims, data }];
    }),
  );
}

/** A graph in a line, for messages: `17 (opset 13): x0 [1,3,8,8]; v2 = Conv(x0, w1) [1,4,8,8]; ...`. */
export function describeGraph({ seed, opset, inputs, nodes, values, outputs }: RandomGraph): string {
  const dims = (name: string) => `[${values.find((one) => one.name === name)?.dims ?? ''}]`;
  const lines = nodes.map(({ opType, input, output }) => {
    const results = output?.map((name) => `${name}${dims(name)}`).join(', ');
    return `${results} = ${opType}(${input?.join(', ')})`;
  });
  const given = inputs.map(({ name }) => `${name}${dims(name)}`).join(', ');
  return `${seed} (opset ${opset}): ${[given, ...lines].join('; ')} -> ${outputs.join(', ')}`;
}
