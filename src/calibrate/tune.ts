import { withChanged } from '../node/beside.js';
import { stopIfAborted } from '../onnx/abort.js';
import { exposeTensors } from '../onnx/expose.js';
import { extractEdits } from '../onnx/extract.js';
import { indexGraphs } from '../onnx/graph-index.js';
import { type Edit, splice } from '../onnx/splice.js';
import { type OpenData, readWeight, type Weight, weightEdit } from '../onnx/weights.js';
import { type Tensor, type Tensors, toNumbers } from '../providers/tensor.js';
import type { Provider, Session, SessionOptions } from '../providers/types.js';
import type { Feeds } from '../validate/feeds.js';
import { own } from '../validate/own.js';
import { createRandom } from '../validate/random.js';
import { type Aim, backwardModel } from './backward.js';
import type { Base } from './gather.js';
import type { LinearLayer } from './linear.js';
import type { Part } from './split.js';

export interface TuneOptions {
  readonly original: Base;
  /** What has been repaired so far. */
  readonly repaired: Base;
  readonly layers: readonly LinearLayer[];
  readonly fit: Part;
  readonly held: Part;
  readonly provider: Provider;
  readonly openData?: OpenData | undefined;
  readonly steps: number;
  /** Share of a weight's usual size that a step moves it by at the most. */
  readonly rate: number;
  /** How much the layers inside count beside the outputs, all together. */
  readonly inside: number;
  readonly seed: number;
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
}

export interface Tuned {
  /** For the repaired document. */
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

/** A weight while it moves, with Adam's two averages. */
interface Moving {
  readonly weight: Weight;
  readonly values: Float32Array;
  readonly mean: Float32Array;
  readonly square: Float32Array;
  readonly scale: number;
}

const BETA1 = 0.9;
const BETA2 = 0.99;

/**
 * Moves all weights of the linear layers together, by gradient steps (Adam, Kingma and Ba 2014, arXiv:1412.6980) towards
 * what the original makes of the same samples: its outputs, and inside the outputs of its linear layers, each relative to
 * its variance. What the held-out samples liked best is kept. Undefined where nothing can be moved so.
 */
export async function tune(options: TuneOptions): Promise<Tuned | undefined> {
  const { original, repaired, layers, fit, held, provider, session, signal, openData } = options;
  const { document } = repaired;
  const outputs = document.graph.outputs.map(({ name }) => name);
  const made = new Set(document.graph.nodes.flatMap(({ outputs }) => outputs));
  const ends = outputs.filter((name) => made.has(name));
  const insides = layers.map(({ y }) => y).filter((name) => made.has(name) && !ends.includes(name));
  const first = await firstOf(fit.feeds);
  if (first === undefined) return undefined;

  return withOpen(
    original,
    extractEdits(original.document, [...ends, ...insides]),
    options,
    async (teacher) => {
      const variances = await variancesOf(teacher, [...ends, ...insides], fit.feeds);
      const usable = (name: string) => (variances.get(name) ?? 0) > 0;
      const [last, inner] = [ends.filter(usable), insides.filter(usable)];
      const aims: Aim[] = [
        ...last.map((name) => ({ name, factor: 1 / (variances.get(name) ?? 1) / last.length })),
        ...inner.map((name) => ({
          name,
          factor: options.inside / (variances.get(name) ?? 1) / inner.length,
        })),
      ];
      const dims = await shapesOf(repaired, first, options);
      const weights = layers.flatMap(({ weight, bias }) => (bias === undefined ? [weight] : [weight, bias]));
      const backward = backwardModel(document, indexGraphs(document), weights, aims, dims);
      const moving: Moving[] = [];
      for (const { weight, bias, y } of layers) {
        for (const one of bias === undefined ? [weight] : [weight, bias]) {
          if (!backward.gradients.has(one.name)) continue;
          const values = Float32Array.from(await readWeight(document, one, openData));
          const size = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
          const scale = one === weight ? size : Math.max(size, 0.1 * Math.sqrt(variances.get(y) ?? 0));
          const zeros = () => new Float32Array(values.length);
          moving.push({ weight: one, values, mean: zeros(), square: zeros(), scale });
        }
      }
      if (moving.length === 0) return undefined;
      const external = document.external.length > 0;
      return withChanged(repaired.model, backward.model, external, async (given) => {
        const student = await provider.open(given, session);
        try {
          const run = async (feeds: Tensors) => {
            const wanted = await teacher.run(feeds);
            const targets = aims.map(
              ({ name }) => [backward.target(name), own(wanted, name) as Tensor] as const,
            );
            const current = moving.map(({ weight, values }) => {
              return [weight.name, { elemType: 'f32', dims: weight.tensor.dims, data: values }] as const;
            });
            return student.run({ ...feeds, ...Object.fromEntries(targets), ...Object.fromEntries(current) });
          };
          const lossOn = async (feeds: Feeds) => {
            let sum = 0;
            let count = 0;
            for await (const feed of feeds) {
              stopIfAborted(signal);
              sum += Number((await run(feed))[backward.loss]?.data[0]);
              count++;
            }
            return sum / count;
          };
          const before = await lossOn(held.feeds);
          let best = { loss: before, values: undefined as Float32Array[] | undefined };
          const random = createRandom(options.seed);
          const batches = await collect(fit.feeds);
          const every = Math.max(1, Math.ceil(options.steps / LOOKS));
          for (let step = 0; step < options.steps; step++) {
            stopIfAborted(signal);
            options.onProgress?.(step, options.steps);
            const result = await run(batches[Math.floor(random() * batches.length)] as Tensors);
            const rate = options.rate * 0.5 * (1 + Math.cos((Math.PI * step) / options.steps));
            for (const one of moving) {
              const gradient = own(result, backward.gradients.get(one.weight.name) ?? '')?.data;
              if (gradient instanceof Float32Array) advance(one, gradient, step + 1, rate);
            }
            if ((step + 1) % every !== 0 && step + 1 !== options.steps) continue;
            const loss = await lossOn(held.feeds);
            if (process.env.V) console.log(step, loss);
            if (loss < best.loss) best = { loss, values: moving.map(({ values }) => values.slice()) };
          }
          const edits: Edit[] = [];
          for (const [index, values] of (best.values ?? []).entries())
            edits.push(await weightEdit(document, (moving[index] as Moving).weight, values));
          return { edits, steps: options.steps, before, after: best.loss };
        } finally {
          await student.close();
        }
      });
    },
  );
}

/** One step of Adam. */
function advance(
  { values, mean, square, scale }: Moving,
  gradient: Float32Array,
  step: number,
  rate: number,
): void {
  const [fix1, fix2] = [1 - BETA1 ** step, 1 - BETA2 ** step];
  for (let index = 0; index < values.length; index++) {
    const g = gradient[index] as number;
    const m = BETA1 * (mean[index] as number) + (1 - BETA1) * g;
    const v = BETA2 * (square[index] as number) + (1 - BETA2) * g * g;
    mean[index] = m;
    square[index] = v;
    const move = (rate * scale * (m / fix1)) / (Math.sqrt(v / fix2) + 1e-12);
    values[index] = (values[index] as number) - move;
  }
}

async function withOpen<T>(
  { model, document }: Base,
  edits: readonly Edit[],
  { provider, session }: Pick<TuneOptions, 'provider' | 'session'>,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const changed = splice(document.source, edits);
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
  for (const [name, { dims }] of Object.entries(feeds)) shapes.set(name, dims);
  for (const { name, dims } of document.graph.initializers.values()) shapes.set(name, dims);
  const { model } = exposeTensors(document, names);
  await withChanged(base.model, model, document.external.length > 0, async (given) => {
    const open = await options.provider.open(given, options.session);
    try {
      for (const [name, { dims }] of Object.entries(await open.run(feeds))) shapes.set(name, dims);
    } finally {
      await open.close();
    }
  });
  return (name: string) => shapes.get(name) ?? [];
}

async function variancesOf(session: Session, names: readonly string[], feeds: Feeds) {
  const sums = new Map(names.map((name) => [name, { n: 0, sum: 0, squares: 0 }]));
  let runs = 0;
  for await (const feed of feeds) {
    const outputs = await session.run(feed);
    for (const [name, meter] of sums) {
      const tensor = own(outputs, name);
      const values = tensor?.elemType === 'f32' ? toNumbers(tensor) : undefined;
      for (let index = 0; index < (values?.length ?? 0); index++) {
        const value = values?.[index] ?? 0;
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

async function firstOf(feeds: Feeds): Promise<Tensors | undefined> {
  for await (const feed of feeds) return feed;
  return undefined;
}

async function collect(feeds: Feeds): Promise<Tensors[]> {
  const all: Tensors[] = [];
  for await (const feed of feeds) all.push(feed);
  return all;
}
