import { stopIfAborted } from '../../base/abort.js';
import { OnnxMishError } from '../../base/error.js';
import type { OptionHint } from '../../base/option-hint.js';
import { ownProperty } from '../../base/own.js';
import { createRandom, type Random } from '../../base/random.js';
import type { Subset } from '../../data/split.js';
import { extractEdits } from '../../onnx/extract.js';
import { type Edit, splice } from '../../onnx/splice.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import type { Provider, SessionOptions } from '../../providers/provider.js';
import { type Tensor, type Tensors, toNumbers } from '../../providers/tensor.js';
import { withSession } from '../../providers/with-session.js';
import { geometryOf, rowsOf } from './layer-rows.js';
import { type LinearLayer, usesOf } from './linear-layers.js';

/** Result of a meter of rows. */
export interface MeteredRows {
  /** Sum of each column. */
  readonly sums: Float64Array;
}

/** Meter of the rows [inputs, outputs] of a group of channels. */
export interface RowMeter<T extends MeteredRows> {
  /** Returns a buffer and an offset for new rows. The caller fills them before the next call. */
  room(rows: number): Promise<{ readonly buffer: Float32Array; readonly at: number }>;
  result(): Promise<T>;
}

/** Values for the two subsets that a layer's rows come from. */
export interface OfSubsets<T> {
  readonly train: T;
  readonly validation: T;
}

export interface GatherOptions {
  /** Supplies the layer's target outputs. */
  readonly original: EditableModel;
  /** Supplies the layer's inputs, together with the edits so far. */
  readonly swapped: EditableModel;
  /** Returns the model that supplies the inputs of one use of a layer; default `swapped`. */
  readonly modelOf?: ((use: LinearLayer) => Promise<EditableModel>) | undefined;
  readonly train: Subset;
  readonly validation: Subset;
  /** Approximate number of training rows; validation rows are in proportion to their runs. */
  readonly rows: number;
  readonly seed: number;
  readonly provider: Provider;
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Receives the share of finished runs before each run. */
  readonly onRun?: ((share: number) => void) | undefined;
}

/** A function that computes a tensor of a model from feeds. */
export type RunFor = (feeds: Tensors) => Promise<Tensor>;

/** Opens the part of an edited model that computes a tensor, while `use` runs. Throws `run-failed`. */
export async function withTensor<T>(
  model: EditableModel,
  edits: readonly Edit[],
  name: string,
  options: Pick<GatherOptions, 'provider' | 'session'>,
  use: (run: RunFor) => Promise<T>,
): Promise<T> {
  const { document } = model;
  const cut = extractEdits(document, [name]);
  const removed = cut.filter(({ start, end }) => end > start);
  const remaining = edits.filter(
    (edit) => !removed.some(({ start, end }) => edit.start >= start && edit.end <= end),
  );
  const part = splice(document.source, [...remaining, ...cut]);
  return model.withEdited(part, (copy) =>
    withSession(copy, options, (open) =>
      use(async (feeds) => {
        const tensor = ownProperty(await open.run(feeds), name);
        if (tensor !== undefined) return tensor;
        throw new OnnxMishError('run-failed', `ONNX Runtime does not return '${name}'`);
      }),
    ),
  );
}

/**
 * Feeds the meters of each group with a layer's inputs in the changed model and its outputs in the original, at random
 * positions of each of its nodes. Throws `bad-data` if these values are not finite, `run-failed`, `aborted`.
 */
export async function gather<T extends MeteredRows>(
  layer: LinearLayer,
  edits: readonly Edit[],
  meters: readonly OfSubsets<RowMeter<T>>[],
  options: GatherOptions,
): Promise<OfSubsets<T>[]> {
  const { signal, seed, onRun } = options;
  const { depth, outputs } = geometryOf(layer);
  const width = depth + outputs;
  const random = createRandom(seed);

  const uses = usesOf(layer);
  const each = Math.max(1, Math.ceil(options.rows / uses.length / options.train.runs));
  const runs = uses.length * (options.train.runs + options.validation.runs);
  let done = 0;
  for (const use of uses) {
    const applied = { ...layer, ...use };
    const model = (await options.modelOf?.(applied)) ?? options.swapped;
    await withTensor(options.original, [], use.y, options, (target) =>
      withTensor(model, edits, use.x, options, async (input) => {
        for (const part of ['train', 'validation'] as const) {
          for await (const feeds of options[part].feeds) {
            stopIfAborted(signal);
            onRun?.(done++ / runs);
            const source = rowsOf(applied, numbers(await input(feeds)), numbers(await target(feeds)));
            const chosen = choose(source.positions, each, random);
            for (const [group, meter] of meters.entries()) {
              const { buffer, at } = await meter[part].room(chosen.length);
              for (const [row, position] of chosen.entries())
                source.fill(position, group, buffer, at + row * width);
            }
          }
        }
      }),
    );
  }
  const gathered: OfSubsets<T>[] = [];
  for (const meter of meters) {
    const parts = { train: await meter.train.result(), validation: await meter.validation.result() };
    const areFinite = (from: number, to: number) =>
      [parts.train, parts.validation].every(({ sums }) => sums.subarray(from, to).every(Number.isFinite));
    if (!areFinite(depth, width))
      throw notFinite(layer, 'the original returns NaN or infinity on these samples');
    if (!areFinite(0, depth)) {
      const message = 'the swapped model computes NaN or infinity on these samples';
      throw notFinite(layer, message, 'Leave out the site before it, or the layer', { exclude: null });
    }
    gathered.push(parts);
  }
  return gathered;
}

const notFinite = (
  { label }: LinearLayer,
  message: string,
  fix = 'Leave out these samples, or this layer',
  option: OptionHint = { layers: null },
) => new OnnxMishError('bad-data', message, { where: label, fix, option });

function numbers(tensor: Tensor) {
  return { dims: tensor.dims, values: toNumbers(tensor) ?? [] };
}

/** Returns sorted random positions, with possible repetitions; all positions if `count` is at least their number. */
function choose(positions: number, count: number, random: Random): Int32Array {
  if (count >= positions) return Int32Array.from({ length: positions }, (_, index) => index);
  return Int32Array.from({ length: count }, () => Math.floor(random() * positions)).sort();
}
