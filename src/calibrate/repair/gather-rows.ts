import { stopIfAborted } from '../../base/abort.js';
import { OnnxMishError } from '../../base/error.js';
import { own } from '../../base/own.js';
import { createRandom, type Random } from '../../base/random.js';
import type { Part } from '../../data/split.js';
import { extractEdits } from '../../onnx/extract.js';
import { type Edit, splice } from '../../onnx/splice.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import type { Provider, SessionOptions } from '../../providers/provider.js';
import { type Tensor, type Tensors, toNumbers } from '../../providers/tensor.js';
import { type Moments, type Multiplier, momentsMeter, type Shift } from './gram-matrix.js';
import { geometryOf, rowsOf } from './layer-rows.js';
import type { LinearLayer } from './linear-layers.js';

/** Moments of a group's rows [inputs, outputs]. */
export interface Gathered {
  readonly fit: Moments;
  readonly held: Moments;
  readonly shift: Float64Array;
}

export interface GatherOptions {
  /** Gives the outputs. */
  readonly original: EditableModel;
  /** Gives the inputs, with the edits made so far. */
  readonly swapped: EditableModel;
  readonly fit: Part;
  readonly held: Part;
  /** Rows to take of the fit part, about; of the held part in proportion to its runs. */
  readonly rows: number;
  readonly seed: number;
  readonly provider: Provider;
  readonly multiplier: Multiplier;
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A run of the part of a model that gives one tensor. */
export type RunFor = (feeds: Tensors) => Promise<Tensor>;

/** Has the part of a model, with edits made to it, open that gives a tensor. Throws `run-failed`. */
export async function withTensor<T>(
  model: EditableModel,
  edits: readonly Edit[],
  name: string,
  { provider, session }: Pick<GatherOptions, 'provider' | 'session'>,
  use: (run: RunFor) => Promise<T>,
): Promise<T> {
  const { document } = model;
  const cut = extractEdits(document, [name]);
  const gone = cut.filter(({ start, end }) => end > start);
  const staying = edits.filter(
    (edit) => !gone.some(({ start, end }) => edit.start >= start && edit.end <= end),
  );
  const part = splice(document.source, [...staying, ...cut]);
  return model.withEdited(part, async (copy) => {
    const open = await provider.open(copy, session);
    try {
      return await use(async (feeds) => {
        const tensor = own(await open.run(feeds), name);
        if (tensor !== undefined) return tensor;
        throw new OnnxMishError('run-failed', `ONNX Runtime does not give '${name}'`);
      });
    } finally {
      await open.close();
    }
  });
}

/**
 * Gathers what a layer is fed by the changed model, and what the original makes there, at positions chosen by the seed.
 * Throws `bad-data` where the original gives what is not finite, `run-failed`, `aborted`.
 */
export async function gather(
  layer: LinearLayer,
  edits: readonly Edit[],
  options: GatherOptions,
): Promise<Gathered[]> {
  const { fit, held, multiplier, signal, seed } = options;
  const { groups, depth, outputs } = geometryOf(layer);
  const width = depth + outputs;
  const shifts = Array.from({ length: groups }, (): Shift => ({}));
  const meters = shifts.map((shift) => {
    return { fit: momentsMeter(width, shift, multiplier), held: momentsMeter(width, shift, multiplier) };
  });
  const random = createRandom(seed);
  const each = Math.max(1, Math.ceil(options.rows / fit.runs));

  await withTensor(options.original, [], layer.y, options, (target) =>
    withTensor(options.swapped, edits, layer.x, options, async (input) => {
      for (const part of ['fit', 'held'] as const) {
        for await (const feeds of { fit, held }[part].feeds) {
          stopIfAborted(signal);
          const source = rowsOf(layer, numbers(await input(feeds)), numbers(await target(feeds)));
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
  const gathered: Gathered[] = [];
  for (const [group, meter] of meters.entries()) {
    const moments = { fit: await meter.fit.result(), held: await meter.held.result() };
    const targets = [moments.fit, moments.held].flatMap(({ sums }) => [...sums.subarray(depth)]);
    if (!targets.every(Number.isFinite)) {
      throw new OnnxMishError('bad-data', 'the original itself gives NaN or infinity on these samples', {
        where: layer.label,
        fix: 'Leave out the samples that it cannot take, or this layer',
        option: { layers: null },
      });
    }
    gathered.push({ ...moments, shift: shifts[group]?.values ?? new Float64Array(width) });
  }
  return gathered;
}

function numbers(tensor: Tensor) {
  return { dims: tensor.dims, values: toNumbers(tensor) ?? [] };
}

/** So many of the positions, all where there are no more; in order, and some perhaps twice. */
function choose(positions: number, count: number, random: Random): Int32Array {
  if (count >= positions) return Int32Array.from({ length: positions }, (_, index) => index);
  return Int32Array.from({ length: count }, () => Math.floor(random() * positions)).sort();
}
