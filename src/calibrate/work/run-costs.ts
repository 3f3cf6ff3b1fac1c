// How much work and memory a run of a model takes, from the shapes of its tensors.

import { OnnxMishError } from '../../base/error.js';
import { type Feeds, firstFeed } from '../../data/dataset.js';
import { sliceRun } from '../../data/split-runs.js';
import type { Node, OnnxDocument } from '../../onnx/document.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import type { OnProvider, SessionOptions } from '../../providers/provider.js';
import { elementCount, type Tensors } from '../../providers/tensor.js';
import { type Probe, probeWithSession } from '../../train/probe.js';

/** Work and sizes of one sample in a model's main graph. Work is in multiplications. */
export interface RunCosts {
  /** Number of samples in a run. */
  readonly batch: number;
  /** Whether runs may have fewer samples. */
  readonly splits: boolean;
  /** Work of all nodes. */
  readonly work: number;
  /** Elements of the largest tensor. */
  readonly largest: number;
  /** Elements of all tensors together. */
  readonly elements: number;
  /** Returns the work of all nodes up to the one that outputs a tensor. */
  workTo(name: string): number;
  /** Returns the number of elements of a tensor; 0 for an unknown tensor. */
  elementsOf(name: string): number;
}

/** Work of an element of an activation or another operator without weights. */
const WORK_PER_ELEMENT = 10;

/** Operators whose work is the elements of their output times the last dimension of their first input. */
const PRODUCTS: ReadonlySet<string> = new Set(['Gemm', 'MatMul']);

/**
 * Measures the costs of a run by one run of a model, of a single sample where the batch is free. Everything costs 0 if the shapes
 * cannot be measured. Throws what the provider throws, except `run-failed`.
 */
export async function measureRunCosts(
  model: EditableModel,
  feeds: Feeds,
  options: OnProvider & { readonly session?: SessionOptions | undefined },
): Promise<RunCosts> {
  const first = (await firstFeed(feeds)) ?? {};
  const batch = batchOf(first) ?? 1;
  const splits = batch > 1 && hasFreeBatch(model.document);
  const run = splits ? sliceRun(first, 0, 1) : first;
  try {
    const probe = await probeWithSession(model, run, options);
    return costsOf(model.document, probe, { batch, splits, samples: splits ? 1 : batch });
  } catch (error) {
    if (error instanceof OnnxMishError && error.code === 'run-failed')
      return { ...UNKNOWN, batch: Math.max(1, Object.values(first)[0]?.dims[0] ?? 1) };
    throw error;
  }
}

/** Returns the costs of samples that are larger by a factor in every tensor. */
export function scaledCosts(costs: RunCosts, factor: number): RunCosts {
  return {
    ...withMoreWork(costs, factor),
    largest: factor * costs.largest,
    elements: factor * costs.elements,
    elementsOf: (name) => factor * costs.elementsOf(name),
  };
}

/** Returns the costs of a run with more work by a factor, and the same tensors. */
export function withMoreWork(costs: RunCosts, factor: number): RunCosts {
  return { ...costs, work: factor * costs.work, workTo: (name) => factor * costs.workTo(name) };
}

const UNKNOWN: RunCosts = {
  batch: 1,
  splits: false,
  work: 0,
  largest: 0,
  elements: 0,
  workTo: () => 0,
  elementsOf: () => 0,
};

/** Returns the first dimension of all feeds; undefined if they differ. */
function batchOf(run: Tensors): number | undefined {
  const [size, ...others] = Object.values(run).map(({ dims }) => dims[0]);
  return size !== undefined && size > 0 && others.every((other) => other === size) ? size : undefined;
}

function hasFreeBatch({ graph }: OnnxDocument): boolean {
  const declared = [...graph.inputs.filter(({ name }) => !graph.initializers.has(name)), ...graph.outputs];
  return declared.every(({ dims }) => typeof dims?.[0] === 'string');
}

function costsOf(
  { graph }: OnnxDocument,
  probe: Probe,
  { batch, splits, samples }: { readonly batch: number; readonly splits: boolean; readonly samples: number },
): RunCosts {
  const sums = new Map<string, number>();
  let [work, largest, elements] = [0, 0, 0];
  const elementsOf = (name: string) => (sums.has(name) ? elementCount(probe.dims(name)) / samples : 0);
  for (const node of graph.nodes) {
    const sizes = node.outputs.map((name) => (name === '' ? 0 : elementCount(probe.dims(name)) / samples));
    const size = sizes.reduce((sum, each) => sum + each, 0);
    work += workOf(node, size, probe, samples);
    elements += size;
    largest = Math.max(largest, ...sizes);
    for (const name of node.outputs) sums.set(name, work);
  }
  return {
    batch,
    splits,
    work,
    largest,
    elements,
    elementsOf,
    workTo: (name) => sums.get(name) ?? 0,
  };
}

function workOf({ opType, inputs }: Node, size: number, probe: Probe, samples: number): number {
  const weights = probe.dims(inputs[1] ?? '');
  const inner = elementCount(weights.slice(1));
  if (opType === 'ConvTranspose') return (elementCount(probe.dims(inputs[0] ?? '')) / samples) * inner;
  if (opType === 'Conv') return size * (inner + 1);
  if (PRODUCTS.has(opType)) return size * (probe.dims(inputs[0] ?? '').at(-1) ?? 1);
  return WORK_PER_ELEMENT * size;
}
