import { stopIfAborted } from '../base/abort.js';
import { ownProperty } from '../base/own.js';
import { createRandom } from '../base/random.js';
import { endlessFeeds } from '../data/batches.js';
import { type Feeds, firstFeed } from '../data/dataset.js';
import type { OnnxDocument } from '../onnx/document.js';
import { extractEdits } from '../onnx/extract.js';
import { indexGraphs } from '../onnx/graph-index.js';
import { type Edit, type Spliced, splice } from '../onnx/splice.js';
import { tensorOutputs } from '../onnx/tensor-outputs.js';
import { type Weight, weightEdit } from '../onnx/weights.js';
import type { EditableModel } from '../providers/loaded-model.js';
import type { OnProvider, Session, SessionOptions } from '../providers/provider.js';
import { dimsOf, elementCount, type Tensor, type Tensors, toNumbers } from '../providers/tensor.js';
import { withSession } from '../providers/with-session.js';
import { accumulating } from '../train/accumulate-gradients.js';
import { distillationLoss, distillationStep, distillationTarget } from '../train/distillation.js';
import { findBlock } from '../train/find-block.js';
import { type GraphOptimizer, graphOptimizer } from '../train/graph-optimizers.js';
import type { LossTerm } from '../train/losses.js';
import { type Parameter, readParameter } from '../train/parameters.js';
import { createStepper } from '../train/stepper.js';
import type { TrainingGraph } from '../train/training-graph.js';
import { type LinearLayer, usesOf } from './repair/linear-layers.js';
import { inRounds, type StepLimit } from './rounds.js';
import { checkStepMemory } from './step-memory.js';
import {
  elementsOf,
  probeOf,
  type StepRuns,
  samplesForStep,
  stepMsByWork,
  withSmallRuns,
} from './step-runs.js';

export interface TuneOptions extends StepRuns {
  readonly original: EditableModel;
  /** The layers whose weights move. */
  readonly layers: readonly LinearLayer[];
  /** Number of steps; by default rounds of steps, as long as they lower the validation loss and time allows. */
  readonly steps: number | undefined;
  /** Maximum number of steps of all rounds; with it, their work and not the clock limits them. */
  readonly maxSteps?: number | undefined;
  /** When to end, as `performance.now()` counts; default never. */
  readonly deadline?: number | undefined;
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
/** The optimiser; gradients of sums of squares are small, and so is epsilon. */
const ADAM = { kind: 'adam', betas: [0.9, 0.99], epsilon: 2e-12 } as const;
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
export async function tune(given: TuneOptions): Promise<Tuned | undefined> {
  const { original, repaired } = given;
  const { document } = repaired;
  const opset = document.graph.opsets.get('') ?? 0;
  const layers = given.layers.filter(({ weight }) => weight.type === 'f32');
  const whole = await firstFeed(given.train.feeds);
  if (opset < MIN_OPSET || layers.length === 0 || whole === undefined) return undefined;
  // A run for the shapes of all tensors would take as much memory as a step.
  checkStepMemory(given.costs.elements * (given.costs.splits ? 1 : given.costs.batch));
  const samplesOfStep = samplesForStep(given.costs);
  const options = { ...given, ...(await withSmallRuns(given, whole, samplesOfStep)) };
  const first = (await firstFeed(options.train.feeds)) ?? whole;
  const produced = new Set(document.graph.nodes.flatMap(({ outputs }) => outputs));
  const modelOutputs = tensorOutputs(document).names.filter((name) => produced.has(name));
  const layerOutputs = layers
    .flatMap((layer) => usesOf(layer).map(({ y }) => y))
    .filter((name) => produced.has(name) && !modelOutputs.includes(name));
  const names = [...new Set([...modelOutputs, ...layerOutputs])];
  const probe = await probeOf(options, first);
  checkStepMemory(elementsOf(repaired, probe));

  return withOpen(
    original,
    splice(original.document.source, extractEdits(original.document, names)),
    options,
    async (teacher) => {
      const variances = await variancesOf(teacher, names, options.train.feeds);
      const terms = [...lossTerms(modelOutputs, variances), ...lossTerms(layerOutputs, variances)];
      const weights = layers.flatMap(({ weight, bias }) => (bias === undefined ? [weight] : [weight, bias]));
      const index = indexGraphs(document);
      const block = await findBlock(options.provider, options.session);
      const parameters = await readParameters(layers, variances, options);
      const runs = Math.ceil(samplesOfStep / Math.max(1, Object.values(first)[0]?.dims[0] ?? 1));
      const { maxSteps, costs } = options;
      const limit =
        maxSteps === undefined ? undefined : { maxSteps, stepMs: stepMsByWork(costs, samplesOfStep) };
      const optimizer = accumulating(graphOptimizer(ADAM), runs, 1);
      const scales = new Map(parameters.map(({ weight, scale }) => [weight.name, scale]));
      const step = distillationStep(document, index, probe, terms, { weights, optimizer, block, scales });
      const moving = new Set(step.state.flatMap(({ weight }) => weight?.name ?? []));
      if (moving.size === 0) return undefined;
      const moved = parameters.filter(({ weight }) => moving.has(weight.name));
      const judge = distillationLoss(
        document,
        index,
        probe,
        terms,
        moved.map(({ weight }) => weight),
      );
      const trained = { ...options, session: { ...options.session, forRunInto: true } };
      return withOpen(repaired, step.model, trained, (student) =>
        withOpen(repaired, judge.model, options, (judging) =>
          distil(moved, { teacher, student, judging, terms, step, optimizer, runs, first, limit }, options),
        ),
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
  variances: ReadonlyMap<string, number>,
  { repaired }: TuneOptions,
): Promise<Parameter[]> {
  const parameters: Parameter[] = [];
  const read = async (weight: Weight, minScale?: number) => {
    if (parameters.some((known) => known.weight.name === weight.name)) return;
    parameters.push(await readParameter(repaired.document, weight, repaired.openData, minScale));
  };
  for (const { weight, bias, y } of layers) {
    await read(weight);
    // Steps are relative to the scale; its minimum lets a small bias grow.
    if (bias !== undefined) await read(bias, 0.1 * Math.sqrt(variances.get(y) ?? 0));
  }
  return parameters;
}

/** The models of training: the original computes targets, the copies of the repaired model take steps and compute the loss. */
interface Models {
  readonly teacher: Session;
  readonly student: Session;
  readonly judging: Session;
  readonly terms: readonly LossTerm[];
  readonly step: TrainingGraph;
  readonly optimizer: GraphOptimizer;
  /** Runs of each step. */
  readonly runs: number;
  /** Feeds whose shapes every run must have. */
  readonly first: Tensors;
  readonly limit: StepLimit | undefined;
}

async function distil(
  parameters: readonly Parameter[],
  models: Models,
  options: TuneOptions,
): Promise<Tuned> {
  const { train: subset, validation, signal, onProgress, repaired } = options;
  const { teacher, student, judging, terms, optimizer, runs, first, limit } = models;
  const graph = models.step;
  const shapes = JSON.stringify(dimsOf(first));
  const fits = (feeds: Tensors) => JSON.stringify(dimsOf(feeds)) === shapes;
  const withTargets = async (feeds: Tensors): Promise<Tensors> => {
    stopIfAborted(signal);
    const wanted = await teacher.run(feeds);
    const targets = terms.map(
      ({ name }) => [distillationTarget(name), ownProperty(wanted, name) as Tensor] as const,
    );
    return { ...feeds, ...Object.fromEntries(targets) };
  };
  let initial = initialState(graph, parameters);
  const stepper = createStepper(student, graph, { optimizer, initial, signal, anyLoss: true });
  const current = new Map(parameters.map(({ weight, values }) => [weight.name, values.slice()]));
  const validationLoss = async () => {
    stepper.copyState(current);
    const weights = parameters.map(({ weight }) => {
      const data = current.get(weight.name) ?? new Float32Array(0);
      return [weight.name, { elemType: 'f32', dims: weight.tensor.dims, data }] as const;
    });
    let sum = 0;
    let count = 0;
    for await (const feeds of validation.feeds) {
      if (!fits(feeds)) continue;
      const outputs = await judging.run({ ...(await withTargets(feeds)), ...Object.fromEntries(weights) });
      sum += Number(outputs[graph.loss]?.data[0]);
      count++;
    }
    return sum / count;
  };
  let seed = options.seed;
  let batches = endlessFeeds(subset.feeds, fits, createRandom(seed));
  const restart = () => {
    stepper.restore(initial, 0);
    batches = endlessFeeds(subset.feeds, fits, createRandom(seed));
  };
  const step = async (rate: number) => {
    let loss = 0;
    for (let run = 0; run < runs; run++) {
      const feeds = await withTargets((await batches.next()).value);
      loss += (await stepper.step(feeds, NO_TARGETS, rate)).loss;
    }
    return loss;
  };
  const found = await inRounds(options.steps, {
    validationLoss,
    onProgress,
    restart,
    step,
    limit,
    deadline: options.deadline,
    async stepMs() {
      restart();
      const start = performance.now();
      await step(0);
      return performance.now() - start;
    },
    begin(values) {
      initial = initialState(
        graph,
        parameters.map((parameter, place) => ({ ...parameter, values: values[place] ?? parameter.values })),
      );
      seed += 1;
    },
    values() {
      stepper.copyState(current);
      return parameters.map(({ weight }) => current.get(weight.name)?.slice() ?? new Float32Array(0));
    },
  });
  const edits = await editsFor(repaired.document, parameters, found.values ?? []);
  return { edits, steps: found.steps, before: found.before, after: found.after };
}

/** Returns the edits that write new values of parameters, which are in the parameters' order. */
async function editsFor(
  document: OnnxDocument,
  parameters: readonly Parameter[],
  values: readonly Float32Array[],
): Promise<Edit[]> {
  const edits: Edit[] = [];
  for (const [index, trained] of values.entries()) {
    const { weight } = parameters[index] as Parameter;
    edits.push(await weightEdit(document, weight, trained));
  }
  return edits;
}

/** The targets are among the feeds. */
const NO_TARGETS = new Float32Array(0);

/** Returns the state before the first step: the parameters' values, and zeros for the optimiser. */
function initialState(step: TrainingGraph, parameters: readonly Parameter[]) {
  const values = new Map(parameters.map((parameter) => [parameter.weight.name, parameter.values]));
  return new Map(
    step.state.map(({ input, dims }) => [input, values.get(input) ?? new Float32Array(elementCount(dims))]),
  );
}

function withOpen<T>(
  model: EditableModel,
  edited: Spliced,
  options: OnProvider & { readonly session?: SessionOptions | undefined },
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
