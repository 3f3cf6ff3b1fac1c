// Finds out whether a model with a fixed batch dimension can take batches of any size.

import { ownProperty } from '../base/own.js';
import { joinRuns, sliceRun } from '../data/split-runs.js';
import type { OnnxDocument } from '../onnx/document.js';
import { freeBatch } from '../onnx/model-passes/free-batch.js';
import { decodeModel } from '../onnx/model-passes/model-proto.js';
import type { EditableModel } from '../providers/loaded-model.js';
import type { OnProvider, Session, SessionOptions } from '../providers/provider.js';
import { type Tensor, type Tensors, toNumbers } from '../providers/tensor.js';
import { withModelSession } from '../providers/with-session.js';
import { rebuilt } from './training-copy.js';

/** Options for running a model. */
export interface RunOptions extends OnProvider {
  readonly session?: SessionOptions | undefined;
}

/** Largest difference between the outputs of both models, relative to the largest output. */
const TOLERANCE = 1e-4;

/** Maximum number of runs of the model's own batch size to compare with. */
const MAX_PARTS = 3;

/** Returns the batch size that all inputs of a model fix; undefined if an input has a free batch dimension. */
export function fixedBatch({ graph }: OnnxDocument): number | undefined {
  const sizes = graph.inputs.filter(({ name }) => !graph.initializers.has(name)).map(({ dims }) => dims?.[0]);
  const [first] = sizes;
  return typeof first === 'number' && first > 0 && sizes.every((size) => size === first) ? first : undefined;
}

/**
 * Returns a copy that takes batches of any size; undefined unless its outputs for `feeds` equal those of the model, which gets the
 * feeds in parts of its own batch size. The last two parts overlap where the samples do not fill all.
 */
export async function withFreeBatch(
  model: EditableModel,
  batch: number,
  feeds: Tensors,
  options: RunOptions,
): Promise<EditableModel | undefined> {
  const samples = Object.values(feeds)[0]?.dims[0] ?? 0;
  if (samples <= batch) return undefined;
  const count = Math.min(samples, MAX_PARTS * batch);
  const starts = Array.from({ length: Math.ceil(count / batch) }, (_, part) =>
    Math.min(part * batch, count - batch),
  );
  const proto = await decodeModel(model.document);
  freeBatch(proto, new Set(Object.keys(feeds)), batch);
  const freed = await rebuilt(model, proto);
  const whole = sliceRun(feeds, 0, count);
  const found = await runs(freed, [whole], options).catch(() => undefined);
  const expected = await runs(
    model,
    starts.map((start) => sliceRun(whole, start, start + batch)),
    options,
  );
  const isSame = found?.every((outputs) =>
    Object.entries(outputs).every(([name, tensor]) =>
      isJoined(
        tensor,
        expected.map((outputs) => outputs[name]),
        (count % batch) / batch || 1,
      ),
    ),
  );
  return isSame ? freed : undefined;
}

/** Returns a run of so many samples: the first ones, or all of them again and again. */
export function runOf(feeds: Tensors, batch: number): Tensors {
  const samples = Object.values(feeds)[0]?.dims[0] ?? batch;
  const copies = new Array<Tensors>(Math.ceil(batch / Math.max(1, samples))).fill(feeds);
  return sliceRun(joinRuns(copies, Object.keys(feeds)), 0, batch);
}

/**
 * Runs a model of a fixed batch size on any number of samples, in parts; the last part is filled up with its own samples. Returns one output for
 * all samples; undefined if the model lacks it. Throws `run-failed`.
 */
export async function runInParts(
  session: Session,
  batch: number | undefined,
  feeds: Tensors,
  output: string,
): Promise<Tensor | undefined> {
  const samples = Object.values(feeds)[0]?.dims[0] ?? 0;
  if (batch === undefined || batch === samples) return ownProperty(await session.run(feeds), output);
  const outputs: Tensors[] = [];
  for (let start = 0; start < samples; start += batch) {
    const part = sliceRun(feeds, start, Math.min(start + batch, samples));
    outputs.push(await session.run(runOf(part, batch)));
  }
  return ownProperty(sliceRun(joinRuns(outputs, [output]), 0, samples), output);
}

function runs(model: EditableModel, all: readonly Tensors[], options: RunOptions): Promise<Tensors[]> {
  return withModelSession(model, options, async (session) => {
    const outputs: Tensors[] = [];
    for (const feeds of all) outputs.push(await session.run(feeds));
    return outputs;
  });
}

/** Returns whether a tensor has the shape and, but for rounding, the elements of another. */
export const isEqualOutput = (expected: Tensor, found: Tensor | undefined): boolean =>
  found?.dims.join() === expected.dims.join() && isJoined(found, [expected], 1);

/** Returns whether a tensor consists of these parts, in their order; of the last, only the share at its end. */
function isJoined(tensor: Tensor, parts: readonly (Tensor | undefined)[], lastShare: number): boolean {
  const found = toNumbers(tensor);
  const expected = parts.flatMap((part, at) => {
    const values = Array.from((part && toNumbers(part)) ?? []);
    return at < parts.length - 1 ? values : values.slice(Math.round(values.length * (1 - lastShare)));
  });
  if (found === undefined || found.length !== expected.length) return false;
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return expected.every((value, at) => Math.abs(value - (found[at] ?? Number.NaN)) <= TOLERANCE * scale);
}
