import { feedsOf, modelOf, type RandomGraph } from './random-graph.js';
import type { WebBackend, WebOutcome, WebPage, WebTensor } from './webgl-page.js';
import { onCpu } from './webgl-run.js';

/** How a backend did on a graph. */
export interface Verdict {
  readonly graph: RandomGraph;
  readonly kind: /** Every output is within `TOLERANCE` of the CPU's. */
    | 'right'
    | 'wrong'
    /** The backend gave an error. */
    | 'refused'
    /** There is nothing to compare with: the CPU gave an error, or something that is not finite. */
    | 'skipped';
  /** The largest difference of an output as a share of that output's largest value; Infinity where it has other dimensions. */
  readonly error: number;
  /** The worst output. */
  readonly output?: string | undefined;
  /** What the backend or the CPU said. */
  readonly message?: string | undefined;
}

/** Limit of `parity` for GPUs (src/validate/tolerance.ts); what is wrong is wrong by far more. */
export const TOLERANCE = 1e-3;
/** How many graphs go to the page at a time. */
const BATCH = 50;

type Outputs = Readonly<Record<string, WebTensor>>;

type Prepare = (model: Uint8Array, graph: RandomGraph) => Uint8Array | Promise<Uint8Array>;
const asItIs: Prepare = (model) => model;

/**
 * Runs many small graphs on a backend, one after the other in one page, and compares each with onnxruntime-node's CPU.
 *
 * @param prepare Makes of a graph's model what the backend is given, the CPU having the model as it is: `retarget`,
 *   say. An `OnnxMishError` or whatever else it throws makes the graph `refused`. With `original` the CPU has what that makes.
 */
export async function judge(
  page: WebPage,
  backend: WebBackend,
  graphs: readonly RandomGraph[],
  how: Prepare | { readonly prepare: Prepare; readonly original: Prepare } = (model) => model,
): Promise<Verdict[]> {
  const { prepare, original } = typeof how === 'function' ? { prepare: how, original: asItIs } : how;
  const verdicts: Verdict[] = [];
  for (let at = 0; at < graphs.length; at += BATCH) {
    const batch = await Promise.all(
      graphs.slice(at, at + BATCH).map(async (graph) => {
        const [model, feeds] = [modelOf(graph), feedsOf(graph)];
        const [wanted, prepared] = await Promise.allSettled([
          Promise.resolve(original(model, graph)).then((bytes) => onCpu(bytes, feeds)),
          Promise.resolve().then(() => prepare(model, graph)),
        ]);
        return { graph, feeds, wanted, prepared };
      }),
    );
    const jobs = batch.flatMap(({ feeds, prepared }) =>
      prepared.status === 'fulfilled' ? [{ model: prepared.value, feeds }] : [],
    );
    const outcomes = await page.runAll(backend, jobs);
    for (const { graph, wanted, prepared } of batch) {
      const outcome: WebOutcome | undefined =
        prepared.status === 'fulfilled'
          ? outcomes.shift()
          : { phase: 'create', error: String(prepared.reason) };
      verdicts.push(verdictOf(graph, wanted, outcome));
    }
  }
  return verdicts;
}

function verdictOf(
  graph: RandomGraph,
  wanted: PromiseSettledResult<Outputs>,
  outcome: WebOutcome | undefined,
): Verdict {
  const error = Number.NaN;
  if (wanted.status === 'rejected')
    return { graph, kind: 'skipped', error, message: String(wanted.reason).slice(0, 300) };
  if (Object.values(wanted.value).some(({ data }) => !data.every(Number.isFinite)))
    return { graph, kind: 'skipped', error, message: 'the CPU gives something that is not finite' };
  if (outcome === undefined || 'error' in outcome)
    return { graph, kind: 'refused', error, message: outcome?.error ?? 'no answer' };
  const worst = largestError(wanted.value, outcome.outputs);
  return { graph, kind: worst.error <= TOLERANCE ? 'right' : 'wrong', ...worst };
}

/** How far outputs are from those wanted: the worst of them. */
export function largestError(wanted: Outputs, given: Outputs): { error: number; output: string } {
  let worst = { error: 0, output: '' };
  for (const [output, { dims, data }] of Object.entries(wanted)) {
    const got = given[output];
    const fits = got !== undefined && String(got.dims) === String(dims);
    const scale = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const apart = data.reduce((most, value, place) => {
      const difference = Math.abs(value - (got?.data[place] ?? Number.NaN));
      return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(most, difference);
    }, 0);
    const error = fits ? (apart === 0 ? 0 : apart / scale) : Number.POSITIVE_INFINITY;
    if (error > worst.error) worst = { error, output };
  }
  return worst;
}
