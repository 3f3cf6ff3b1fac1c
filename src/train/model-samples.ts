// Samples as the inputs of a model need them.

import { OnnxMishError } from '../base/error.js';
import { plural } from '../base/plural.js';
import { arraySamples, isSamples, type SampledInput, type Samples } from '../data/samples.js';
import type { OnnxDocument } from '../onnx/document.js';
import { floatType, typeName } from '../onnx/types.js';
import { type Tensors, toNumbers } from '../providers/tensor.js';
import { batchArrays } from './batches.js';
import type { LabelledSamples } from './trainer-options.js';

/** Returns the model's inputs as samples must fit them. The training copy has float32 in place of other float types. */
export function sampledInputs({ graph }: OnnxDocument): SampledInput[] {
  return graph.inputs
    .filter(({ name }) => !graph.initializers.has(name))
    .map(({ name, elemType, dims }) => ({
      name,
      elemType: floatType(elemType) === undefined ? typeName(elemType) : 'f32',
      inner: dims?.slice(1).map((dim) => (typeof dim === 'number' && dim >= 0 ? dim : null)),
    }));
}

/** Reads a batch of the first samples. Throws `bad-data` for a batch that is larger than the data. */
export async function firstBatch(samples: Samples, batch: number): Promise<Tensors> {
  if (batch > samples.count) {
    throw new OnnxMishError(
      'bad-data',
      `a batch of ${batch} is larger than the ${plural(samples.count, 'sample')}`,
      {
        fix: 'Give more samples, or a smaller batch',
      },
    );
  }
  const feeds = batchArrays(samples, batch);
  await samples.read(
    Uint32Array.from({ length: batch }, (_, place) => place),
    feeds,
  );
  return feeds;
}

/** Returns samples, or arrays as samples, in the types of the training copy. Throws `bad-data` for arrays that do not fit. */
export function samplesOf({ inputs }: LabelledSamples, sampled: readonly SampledInput[]): Samples {
  return isSamples(inputs) ? widened(inputs, sampled) : arraySamples(inputs, sampled);
}

/** Returns samples with float32 in place of other float types, for a model whose copy is trained in float32. */
function widened(samples: Samples, sampled: readonly SampledInput[]): Samples {
  const wide = new Set(sampled.filter(({ elemType }) => elemType === 'f32').map(({ name }) => name));
  const narrow = Object.entries(samples.inputs).filter(
    ([name, { elemType }]) => wide.has(name) && elemType !== 'f32',
  );
  if (narrow.length === 0) return samples;
  return {
    ...samples,
    // The spread leaves out what a class has.
    count: samples.count,
    ...(samples.digest && { digest: () => samples.digest?.() ?? Promise.resolve('') }),
    inputs: {
      ...samples.inputs,
      ...Object.fromEntries(narrow.map(([name, type]) => [name, { ...type, elemType: 'f32' }])),
    },
    async read(indices, batch) {
      const given = { ...batch, ...batchArrays({ inputs: Object.fromEntries(narrow) }, indices.length) };
      await samples.read(indices, given);
      for (const [name] of narrow) {
        const [from, into] = [given[name], batch[name]];
        if (from !== undefined && into !== undefined) (into.data as Float32Array).set(toNumbers(from) ?? []);
      }
    },
  };
}

/** Maximum number of samples for the first statistics of inserted batch normalisations. */
const MAX_STATISTICS_SAMPLES = 1024;

/** Yields the first samples in batches, into the same arrays. */
export async function* firstBatches(samples: Samples, batch: number): AsyncGenerator<Tensors> {
  const feeds = batchArrays(samples, batch);
  const count = Math.min(samples.count, Math.max(batch, MAX_STATISTICS_SAMPLES));
  for (let start = 0; start + batch <= count; start += batch) {
    await samples.read(
      Uint32Array.from({ length: batch }, (_, place) => start + place),
      feeds,
    );
    yield feeds;
  }
}
