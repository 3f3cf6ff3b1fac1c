import { stopIfAborted } from '../base/abort.js';
import { ownProperty } from '../base/own.js';
import { createRandom } from '../base/random.js';
import { endlessFeeds } from '../data/batches.js';
import { type Feeds, firstFeed } from '../data/dataset.js';
import type { Subset } from '../data/split.js';
import { extractEdits } from '../onnx/extract.js';
import { indexGraphs } from '../onnx/graph-index.js';
import { type Edit, type Spliced, splice } from '../onnx/splice.js';
import { tensorOutputs } from '../onnx/tensor-outputs.js';
import { type Weight, weightEdit } from '../onnx/weights.js';
import type { EditableModel } from '../providers/loaded-model.js';
import type { Provider, Session, SessionOptions } from '../providers/provider.js';
import { dimsOf, type Tensor, type Tensors, toNumbers } from '../providers/tensor.js';
import { withSession } from '../providers/with-session.js';
import { type Backward, backwardModel } from '../train/backward-model.js';
import { train } from '../train/loop.js';
import type { LossTerm } from '../train/losses.js';
import { type Parameter, readParameter } from '../train/parameters.js';
import { probeModel } from '../train/probe.js';
import type { LinearLayer } from './repair/linear-layers.js';

export interface TuneOptions {
  readonly original: EditableModel;
  /** The model to tune. */
  readonly repaired: EditableModel;
  /** The layers whose weights move. */
  readonly layers: readonly LinearLayer[];
  readonly train: Subset;
  readonly validation: Subset;
  readonly provider: Provider;
  readonly steps: number;
  readonly seed: number;
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
}

export interface Tuned {
  /** Edits of the repaired document; empty if no step lowered the validation loss. */
  readonly edits: readonly Edit[];
  readonly steps: number;
  /** Validation loss before and after. */
  readonly before: number;
  readonly after: number;
}

/** Number of runs for estimating variances. */
const VARIANCE_RUNS = 8;
/** Minimum number of samples for a gradient step. */
const MIN_BATCH_SAMPLES = 16;
/** First opset with all operators of the gradient graphs. */
const MIN_OPSET = 9;

/**
 * Moves the weights of all linear layers together, by gradient steps towards the original's outputs on the same samples.
 * The loss is the squared difference of the model's outputs plus that of all linear layers' outputs, each divided by its
 * variance. Least squares treat each layer alone; gradient steps let layers compensate each other. The result has the
 * lowest validation loss. Only float32 weights move. Returns undefined if no gradient reaches a weight or the opset is
 * below 9.
 *
 * Throws `run-failed`, `aborted`.
 */
export async function tune(options: TuneOptions): Promise<Tuned | undefined> {
  const { original, repaired } = options;
  const { document } = repaired;
  const opset = document.graph.opsets.get('') ?? 0;
  const layers = options.layers.filter(({ weight }) => weight.type === 'f32');
  const first = await firstFeed(options.train.feeds);
  if (opset < MIN_OPSET || layers.length === 0 || first === undefined) return undefined;
  const produced = new Set(document.graph.nodes.flatMap(({ outputs }) => outputs));
  const modelOutputs = tensorOutputs(document).names.filter((name) => produced.has(name));
  const layerOutputs = layers
    .map(({ y }) => y)
    .filter((name) => produced.has(name) && !modelOutputs.includes(name));
  const names = [...new Set([...modelOutputs, ...layerOutputs])];
  const probe = await probeModel(document, first, (model) =>
    withOpen(repaired, model, options, (open) => open.run(first)),
  );

  return withOpen(
    original,
    splice(original.document.source, extractEdits(original.document, names)),
    options,
    async (teacher) => {
      const variances = await variancesOf(teacher, names, options.train.feeds);
      const terms = [...lossTerms(modelOutputs, variances), ...lossTerms(layerOutputs, variances)];
      const weights = layers.flatMap(({ weight, bias }) => (bias === undefined ? [weight] : [weight, bias]));
      const backward = backwardModel(document, indexGraphs(document), weights, terms, probe);
      if (backward.gradients.size === 0) return undefined;
      const parameters = await readParameters(layers, backward, variances, options);
      return withOpen(repaired, backward.model, options, (student) =>
        distil(parameters, { teacher, student, terms, backward, first }, options),
      );
    },
  );
}

/** Returns a loss term for each tensor that varies. Division by the variance gives all tensors the same weight. */
function lossTerms(names: readonly string[], variances: ReadonlyMap<string, number>): LossTerm[] {
  const usable = names.filter((name) => (variances.get(name) ?? 0) > 0);
  return usable.map((name) => ({ name, factor: 1 / (variances.get(name) ?? 1) / usable.length }));
}

async function readParameters(
  layers: readonly LinearLayer[],
  { gradients }: Backward,
  variances: ReadonlyMap<string, number>,
  { repaired }: TuneOptions,
): Promise<Parameter[]> {
  const parameters: Parameter[] = [];
  const read = async (weight: Weight, minScale?: number) => {
    if (!gradients.has(weight.name)) return;
    parameters.push(await readParameter(repaired.document, weight, repaired.openData, minScale));
  };
  for (const { weight, bias, y } of layers) {
    await read(weight);
    // Steps are relative to the scale; its minimum lets a small bias grow.
    if (bias !== undefined) await read(bias, 0.1 * Math.sqrt(variances.get(y) ?? 0));
  }
  return parameters;
}

/** The two models of training: the original computes targets, the repaired copy computes loss and gradients. */
interface Pair {
  readonly teacher: Session;
  readonly student: Session;
  readonly terms: readonly LossTerm[];
  readonly backward: Backward;
  /** Feeds whose shapes every run must have. */
  readonly first: Tensors;
}

async function distil(parameters: readonly Parameter[], pair: Pair, options: TuneOptions): Promise<Tuned> {
  const { train: subset, validation, steps, signal, onProgress, repaired } = options;
  const { teacher, student, terms, backward, first } = pair;
  const shapes = JSON.stringify(dimsOf(first));
  const fits = (feeds: Tensors) => JSON.stringify(dimsOf(feeds)) === shapes;
  const run = async (feeds: Tensors) => {
    stopIfAborted(signal);
    const wanted = await teacher.run(feeds);
    const targets = terms.map(
      ({ name }) => [backward.target(name), ownProperty(wanted, name) as Tensor] as const,
    );
    const current = parameters.map(({ weight, values }) => {
      return [weight.name, { elemType: 'f32', dims: weight.tensor.dims, data: values }] as const;
    });
    return student.run({ ...feeds, ...Object.fromEntries(targets), ...Object.fromEntries(current) });
  };
  const validationLoss = async () => {
    let sum = 0;
    let count = 0;
    for await (const feeds of validation.feeds) {
      if (!fits(feeds)) continue;
      sum += Number((await run(feeds))[backward.loss]?.data[0]);
      count++;
    }
    return sum / count;
  };
  const runsPerStep = Math.ceil(MIN_BATCH_SAMPLES / Math.max(1, Object.values(first)[0]?.dims[0] ?? 1));
  async function* gradients(): AsyncGenerator<readonly Float32Array[], never> {
    const batches = endlessFeeds(subset.feeds, fits, createRandom(options.seed));
    for (;;) {
      const sums = parameters.map(({ values }) => new Float32Array(values.length));
      for (let turn = 0; turn < runsPerStep; turn++) {
        const result = await run((await batches.next()).value);
        for (const [index, { weight }] of parameters.entries()) {
          const gradient = ownProperty(result, backward.gradients.get(weight.name) ?? '');
          addTo(sums[index] as Float32Array, gradient?.data as Float32Array);
        }
      }
      yield sums;
    }
  }
  const {
    before,
    after,
    values = [],
  } = await train({
    ...{ parameters, steps, gradients, validationLoss, onProgress },
  });
  const edits: Edit[] = [];
  for (const [index, trained] of values.entries()) {
    const { weight } = parameters[index] as Parameter;
    edits.push(await weightEdit(repaired.document, weight, trained));
  }
  return { edits, steps, before, after };
}

function addTo(sum: Float32Array, values: Float32Array): void {
  for (let at = 0; at < sum.length; at++) sum[at] = (sum[at] as number) + (values[at] as number);
}

function withOpen<T>(
  model: EditableModel,
  edited: Spliced,
  options: Pick<TuneOptions, 'provider' | 'session'>,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  return model.withEdited(edited, (copy) => withSession(copy, options, use));
}

/** Returns the variance of each float32 tensor's elements over a few runs. */
async function variancesOf(session: Session, names: readonly string[], feeds: Feeds) {
  const sums = new Map(names.map((name) => [name, { n: 0, sum: 0, squares: 0 }]));
  let runs = 0;
  for await (const feed of feeds) {
    const outputs = await session.run(feed);
    for (const [name, meter] of sums) {
      const tensor = ownProperty(outputs, name);
      const values = tensor?.elemType === 'f32' ? (toNumbers(tensor) ?? []) : [];
      for (let index = 0; index < values.length; index++) {
        const value = values[index] as number;
        meter.n++;
        meter.sum += value;
        meter.squares += value * value;
      }
    }
    if (++runs >= VARIANCE_RUNS) break;
  }
  return new Map(
    [...sums].map(([name, { n, sum, squares }]) => [name, n > 0 ? squares / n - (sum / n) ** 2 : 0]),
  );
}
