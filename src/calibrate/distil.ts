import { stopIfAborted } from '../base/abort.js';
import { own } from '../base/own.js';
import { createRandom } from '../base/random.js';
import { type Feeds, firstFeed } from '../data/dataset.js';
import type { Part } from '../data/split.js';
import { withChanged } from '../node/edited-copy.js';
import { exposeTensors } from '../onnx/expose.js';
import { extractEdits } from '../onnx/extract.js';
import { indexGraphs } from '../onnx/graph-index.js';
import { type Edit, splice } from '../onnx/splice.js';
import { tensorOutputs } from '../onnx/tensor-outputs.js';
import { type OpenData, readWeight, type Weight, weightEdit } from '../onnx/weights.js';
import type { Provider, Session, SessionOptions } from '../providers/provider.js';
import { dimsOf, type Tensor, type Tensors, toNumbers } from '../providers/tensor.js';
import { type Aim, type Backward, backwardModel } from '../train/autodiff/training-graph.js';
import type { Base } from './repair/gather-rows.js';
import type { LinearLayer } from './repair/linear-layers.js';

export interface TuneOptions {
  readonly original: Base;
  /** What has been repaired so far. */
  readonly repaired: Base;
  /** Whose weights move. */
  readonly layers: readonly LinearLayer[];
  readonly fit: Part;
  readonly held: Part;
  readonly provider: Provider;
  readonly openData?: OpenData | undefined;
  readonly steps: number;
  readonly seed: number;
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
}

export interface Tuned {
  /** For the repaired document; none where no step lowered the loss. */
  readonly edits: readonly Edit[];
  readonly steps: number;
  /** Loss on held-out samples before and after. */
  readonly before: number;
  readonly after: number;
}

/** Runs from which variances are estimated. */
const SCOUTS = 8;
/** How often the held-out loss is looked at. */
const LOOKS = 12;
/** Samples whose gradients make a step, at the least. */
const BATCH = 16;
/** The share of a weight's usual size that the first steps move it by; it falls to nothing along a cosine. */
const RATE = 0.01;
/** A first look at more than this times the loss at the start is too much: the rate is divided, and all begins again. */
const TOO_MUCH = 2;
const SLOWER = 4;
const SLOWEST = RATE / SLOWER ** 2;
/** Adam's decay of the gradient's mean and square. */
const DECAY = [0.9, 0.99] as const;
/** The opset that has every operator which gradients are written in, as they are written. */
const OPSET = 9;

/**
 * Moves all weights of the linear layers together, by gradient steps (Adam, Kingma and Ba 2014, arXiv:1412.6980) towards
 * what the original makes of the same samples: its outputs, and as much again the outputs of its linear layers, each by its
 * variance. Least squares cannot see how layers could make up for each other; this can. What the held-out samples liked
 * best is kept. float32 only. Undefined where nothing can be moved so: no gradient reaches a weight, or the opset is too old.
 *
 * Throws `run-failed`, `aborted`.
 */
export async function tune(options: TuneOptions): Promise<Tuned | undefined> {
  const { original, repaired, fit } = options;
  const { document } = repaired;
  const opset = document.graph.opsets.get('') ?? 0;
  const layers = options.layers.filter(({ weight }) => weight.type === 'f32');
  const first = await firstFeed(fit.feeds);
  if (opset < OPSET || layers.length === 0 || first === undefined) return undefined;
  const made = new Set(document.graph.nodes.flatMap(({ outputs }) => outputs));
  const ends = tensorOutputs(document).names.filter((name) => made.has(name));
  const insides = layers.map(({ y }) => y).filter((name) => made.has(name) && !ends.includes(name));
  const names = [...new Set([...ends, ...insides])];
  const shapes = await shapesOf(repaired, first, options);

  return withOpen(
    original,
    splice(original.document.source, extractEdits(original.document, names)),
    options,
    async (teacher) => {
      const variances = await variancesOf(teacher, names, fit.feeds);
      const aims = [...aimsOf(ends, variances), ...aimsOf(insides, variances)];
      const weights = layers.flatMap(({ weight, bias }) => (bias === undefined ? [weight] : [weight, bias]));
      const backward = backwardModel(document, indexGraphs(document), weights, aims, shapes);
      if (backward.gradients.size === 0) return undefined;
      const moving = await movingWeights(layers, backward, variances, options);
      return withOpen(repaired, backward.model, options, (student) =>
        descend(moving, { teacher, student, aims, backward, like: JSON.stringify(dimsOf(first)) }, options),
      );
    },
  );
}

/** Each tensor that varies, so that all count alike whatever their size. */
function aimsOf(names: readonly string[], variances: ReadonlyMap<string, number>): Aim[] {
  const usable = names.filter((name) => (variances.get(name) ?? 0) > 0);
  return usable.map((name) => ({ name, factor: 1 / (variances.get(name) ?? 1) / usable.length }));
}

/** A weight while it moves, with Adam's two averages. */
interface Moving {
  readonly weight: Weight;
  readonly gradient: string;
  readonly values: Float32Array;
  readonly mean: Float32Array;
  readonly square: Float32Array;
  /** Its usual size. */
  readonly scale: number;
}

async function movingWeights(
  layers: readonly LinearLayer[],
  { gradients }: Backward,
  variances: ReadonlyMap<string, number>,
  { repaired, openData }: TuneOptions,
): Promise<Moving[]> {
  const moving: Moving[] = [];
  for (const { weight, bias, y } of layers) {
    for (const one of bias === undefined ? [weight] : [weight, bias]) {
      const gradient = gradients.get(one.name);
      if (gradient === undefined) continue;
      const values = Float32Array.from(await readWeight(repaired.document, one, openData));
      const size = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
      // A bias that happens to be small has to be able to grow.
      const scale = one === weight ? size : Math.max(size, 0.1 * Math.sqrt(variances.get(y) ?? 0));
      const zeros = () => new Float32Array(values.length);
      moving.push({ weight: one, gradient, values, mean: zeros(), square: zeros(), scale });
    }
  }
  return moving;
}

interface Lesson {
  readonly teacher: Session;
  readonly student: Session;
  readonly aims: readonly Aim[];
  readonly backward: Backward;
  /** The shapes that every run has to have. */
  readonly like: string;
}

async function descend(moving: readonly Moving[], lesson: Lesson, options: TuneOptions): Promise<Tuned> {
  const { fit, held, steps, signal, onProgress, repaired } = options;
  const { teacher, student, aims, backward, like } = lesson;
  const fits = (feeds: Tensors) => JSON.stringify(dimsOf(feeds)) === like;
  const run = async (feeds: Tensors) => {
    stopIfAborted(signal);
    const wanted = await teacher.run(feeds);
    const targets = aims.map(({ name }) => [backward.target(name), own(wanted, name) as Tensor] as const);
    const current = moving.map(({ weight, values }) => {
      return [weight.name, { elemType: 'f32', dims: weight.tensor.dims, data: values }] as const;
    });
    return student.run({ ...feeds, ...Object.fromEntries(targets), ...Object.fromEntries(current) });
  };
  const lossOfHeld = async () => {
    let sum = 0;
    let count = 0;
    for await (const feeds of held.feeds) {
      if (!fits(feeds)) continue;
      sum += Number((await run(feeds))[backward.loss]?.data[0]);
      count++;
    }
    return sum / count;
  };
  const dims = JSON.parse(like) as Record<string, readonly number[]>;
  const each = Math.ceil(BATCH / Math.max(1, Object.values(dims)[0]?.[0] ?? 1));
  const gradientOfBatch = async (batches: AsyncGenerator<Tensors, never>) => {
    const sums = moving.map(({ values }) => new Float32Array(values.length));
    for (let turn = 0; turn < each; turn++) {
      const result = await run((await batches.next()).value);
      for (const [index, { gradient }] of moving.entries()) {
        const part = own(result, gradient)?.data as Float32Array;
        const sum = sums[index] as Float32Array;
        for (let at = 0; at < sum.length; at++) sum[at] = (sum[at] as number) + (part[at] as number);
      }
    }
    return sums;
  };
  const start = moving.map(({ values }) => values.slice());
  const before = await lossOfHeld();
  let best: { readonly loss: number; readonly values?: readonly Float32Array[] } = { loss: before };
  const every = Math.max(1, Math.ceil(steps / LOOKS));

  /** Goes all the way, unless the first look says that the rate is too much. */
  const goDown = async (top: number): Promise<boolean> => {
    const batches = endless(fit.feeds, fits, createRandom(options.seed));
    for (const [index, one] of moving.entries()) {
      one.values.set(start[index] as Float32Array);
      one.mean.fill(0);
      one.square.fill(0);
    }
    for (let step = 1; step <= steps; step++) {
      onProgress?.(step - 1, steps);
      const rate = top * 0.5 * (1 + Math.cos((Math.PI * (step - 1)) / steps));
      const gradients = await gradientOfBatch(batches);
      for (const [index, one] of moving.entries()) advance(one, gradients[index] as Float32Array, step, rate);
      if (step % every !== 0 && step !== steps) continue;
      const loss = await lossOfHeld();
      if (loss < best.loss) best = { loss, values: moving.map(({ values }) => values.slice()) };
      if (!Number.isFinite(loss) || (step === every && loss > TOO_MUCH * before)) return false;
    }
    return true;
  };
  for (let rate = RATE; rate >= SLOWEST && !(await goDown(rate)); ) rate /= SLOWER;

  const edits: Edit[] = [];
  for (const [index, values] of (best.values ?? []).entries())
    edits.push(await weightEdit(repaired.document, (moving[index] as Moving).weight, values));
  return { edits, steps, before, after: best.loss };
}

/** One step of Adam. */
function advance(
  { values, mean, square, scale }: Moving,
  gradient: Float32Array,
  step: number,
  rate: number,
): void {
  const [first, second] = DECAY;
  const [fix1, fix2] = [1 - first ** step, 1 - second ** step];
  for (let index = 0; index < values.length; index++) {
    const g = gradient[index] as number;
    const m = first * (mean[index] as number) + (1 - first) * g;
    const v = second * (square[index] as number) + (1 - second) * g * g;
    mean[index] = m;
    square[index] = v;
    const move = (rate * scale * (m / fix1)) / (Math.sqrt(v / fix2) + 1e-12);
    values[index] = (values[index] as number) - move;
  }
}

/** Runs of the right shapes without end: by chance, or in order where each is made anew. */
async function* endless(
  feeds: Feeds,
  fits: (feeds: Tensors) => boolean,
  random: () => number,
): AsyncGenerator<Tensors, never> {
  if (Array.isArray(feeds)) {
    const usable = (feeds as readonly Tensors[]).filter(fits);
    for (;;) yield usable[Math.floor(random() * usable.length)] as Tensors;
  }
  for (;;) for await (const one of feeds) if (fits(one)) yield one;
}

async function withOpen<T>(
  { model, document }: Base,
  changed: Parameters<typeof withChanged>[1],
  { provider, session }: Pick<TuneOptions, 'provider' | 'session'>,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  return withChanged(model, changed, document.external.length > 0, async (given) => {
    const open = await provider.open(given, session);
    try {
      return await use(open);
    } finally {
      await open.close();
    }
  });
}

/** The shapes of every tensor of the main graph, as a run has them; weights have their own. */
async function shapesOf(base: Base, feeds: Tensors, options: TuneOptions) {
  const { document } = base;
  const names = document.graph.nodes.flatMap(({ outputs }) => outputs.filter((name) => name !== ''));
  const shapes = new Map<string, readonly number[]>();
  for (const { name, dims } of document.graph.initializers.values()) shapes.set(name, dims);
  const { model } = exposeTensors(document, names);
  const found = await withOpen(base, model, options, (open) => open.run(feeds));
  for (const [name, { dims }] of [...Object.entries(feeds), ...Object.entries(found)]) shapes.set(name, dims);
  return (name: string) => shapes.get(name) ?? [];
}

/** The variance of the elements of each float32 tensor over a few runs. */
async function variancesOf(session: Session, names: readonly string[], feeds: Feeds) {
  const sums = new Map(names.map((name) => [name, { n: 0, sum: 0, squares: 0 }]));
  let runs = 0;
  for await (const feed of feeds) {
    const outputs = await session.run(feed);
    for (const [name, meter] of sums) {
      const tensor = own(outputs, name);
      const values = tensor?.elemType === 'f32' ? (toNumbers(tensor) ?? []) : [];
      for (let index = 0; index < values.length; index++) {
        const value = values[index] as number;
        meter.n++;
        meter.sum += value;
        meter.squares += value * value;
      }
    }
    if (++runs >= SCOUTS) break;
  }
  return new Map(
    [...sums].map(([name, { n, sum, squares }]) => [name, n > 0 ? squares / n - (sum / n) ** 2 : 0]),
  );
}
