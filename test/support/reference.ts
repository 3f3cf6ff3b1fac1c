// Gradients of an operator against numbers that PyTorch gave.
import { expect } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { indexGraphs } from '../../src/onnx/graph-index.js';
import { scan } from '../../src/onnx/scan.js';
import { type Weight, weightOf } from '../../src/onnx/weights.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { elementCount } from '../../src/providers/tensor.js';
import { probeModel } from '../../src/train/probe.js';
import { backwardModel } from './backward-model.js';
import { floats, model, value } from './model.js';
import { wave } from './training.js';

/** Inputs, the loss mean((y - target)²), and its gradients by the inputs, as the scripts of test/train/reference write them. */
export interface Reference {
  /** Each input is a list of numbers, or a wave. */
  readonly inputs: Readonly<
    Record<string, { dims: number[]; scale?: number; shift?: number; values?: number[] }>
  >;
  readonly loss: number;
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}

export interface ReferenceCase {
  readonly nodes: onnx.INodeProto[];
  readonly opset?: number;
  readonly constants?: onnx.ITensorProto[];
}

const cpu = nodeProvider('cpu');
const MAX_DIFFERENCE = 2e-5;

/** The loss and the gradients of a case, in which every input is a weight. */
async function gradientsOf(one: ReferenceCase, { inputs }: Reference) {
  const weights = Object.entries(inputs).map(([name, { dims, scale = 1, shift = 0, values }], order) => {
    const data =
      values ?? Array.from(wave(elementCount(dims), 0.7 + 0.2 * order), (value) => value * scale + shift);
    return { name, dims, data: Float32Array.from(data) };
  });
  const bytes = model({
    ...{ opset: one.opset ?? 18, nodes: one.nodes, inputs: [], outputs: [value('y', 1)] },
    initializers: [
      ...weights.map(({ name, dims, data }) => floats(name, dims, [...data])),
      ...(one.constants ?? []),
    ],
  });
  const document = await scan(bytes);
  const index = indexGraphs(document);
  const probe = await probeModel(document, {}, async (copy) => {
    const session = await cpu.open(await copy.bytes());
    const found = await session.run({});
    await session.close();
    return found;
  });
  const found = weights.map(({ name }) => weightOf(index, document.graph, name) as Weight);
  const backward = backwardModel(document, index, found, [{ name: 'y', factor: 1 }], probe);
  const target = backward.target('y');
  const session = await cpu.open(await backward.model.bytes());
  const tensors = [
    ...weights.filter(({ name }) => backward.gradients.has(name)),
    { name: target, dims: probe.dims('y'), data: wave(elementCount(probe.dims('y')), 1.7) },
  ];
  const result = await session.run(
    Object.fromEntries(tensors.map(({ name, dims, data }) => [name, { elemType: 'f32', dims, data }])),
  );
  await session.close();
  const gradients = [...backward.gradients].map(([name, output]) => [name, result[output]?.data] as const);
  return { loss: Number(result[backward.loss]?.data[0]), gradients: Object.fromEntries(gradients) };
}

/** Expects that a case has the loss and the gradients of its reference. */
export async function expectReference(one: ReferenceCase, expected: Reference): Promise<void> {
  const { loss, gradients } = await gradientsOf(one, expected);
  expect(Math.abs(loss / expected.loss - 1)).toBeLessThan(1e-5);
  for (const [input, values] of Object.entries(expected.gradients)) {
    // A gradient that is zero by nature is absent.
    if (gradients[input] === undefined && values.every((value) => value === 0)) continue;
    const scale = Math.max(...values.map(Math.abs)) || 1;
    expect(gradients[input], input).toHaveLength(values.length);
    const differences = values.map((value, at) => Math.abs(Number(gradients[input]?.[at]) - value) / scale);
    expect(Math.max(...differences), input).toBeLessThan(MAX_DIFFERENCE);
  }
}
