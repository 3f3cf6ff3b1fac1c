import { stopIfAborted } from '../base/abort.js';
import { OnnxMishError } from '../base/error.js';
import { driftMeter } from '../metrics/drift.js';
import { momentsMeter } from '../metrics/moments.js';
import { recognise } from '../mish/recognise.js';
import { findSites } from '../mish/sites.js';
import { analyse } from '../onnx/analysis.js';
import { nodeLabel, type OnnxDocument } from '../onnx/document.js';
import { withExposed } from '../providers/exposed-model.js';
import type { LoadedModel } from '../providers/loaded-model.js';
import type { Provider, Session, SessionOptions } from '../providers/provider.js';
import { dimsOf, type Tensors } from '../providers/tensor.js';
import type { LayerComparison, LayerRow } from './report-schema.js';

/** A model on a provider. */
export interface ModelRun {
  readonly which: 'original' | 'swapped';
  readonly model: LoadedModel;
  readonly provider: Provider;
}

export interface ModelLayerOptions {
  /** The reference, on a provider that runs any model: the CPU. */
  readonly a: ModelRun;
  readonly b: ModelRun;
  readonly feeds: readonly Tensors[];
  /** Have tensors copied out, see `exposeTensors`; for comparing providers. */
  readonly copies?: boolean | undefined;
  /** The outputs of sites only; of all nodes unless given. */
  readonly sitesOnly?: boolean | undefined;
  /** Tensors of one pass, at the most; 48 unless given. */
  readonly chunk?: number | undefined;
  /** Bytes of tensors that one pass may have in memory on each side, about; 256 MiB unless given. */
  readonly bytes?: number | undefined;
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
}

/** Tensors of the first pass, when nothing is known of their size. */
const FIRST = 4;

/** A tensor that both models have. */
interface Shared {
  readonly node: string;
  readonly op: string;
  readonly output: string;
  readonly site: boolean;
}

/**
 * Compares the tensors inside of two models that have the same name, in topological order: the one model against the
 * other, or a model on one provider against itself on another. A swap keeps the names of what its sites give.
 *
 * Tensors become outputs of copies of the models, a few at a time, so that memory holds no more than those; the
 * price is a run for each few. A tensor that is an output cannot be fused away: with `optimisation: 'disabled'` every
 * operator runs as the model has it; the default keeps the fusions that are left, in which a wrong kernel may be.
 * A tensor that stops a pass gets a row that says why. Throws `run-failed` for the models as such, `aborted`.
 */
export async function compareModelLayers(options: ModelLayerOptions): Promise<LayerComparison> {
  const { a, b, feeds, sitesOnly = false, chunk = 48, bytes = 2 ** 28, signal, onProgress } = options;
  if (feeds.length === 0) throw new OnnxMishError('bad-data', 'there is nothing to feed the models with');
  const shared = sharedTensors(a.model.document, b.model.document).filter(({ site }) => site || !sitesOnly);
  const rows: LayerRow[] = [];
  let size = Math.min(chunk, FIRST);
  for (let at = 0; at < shared.length; ) {
    stopIfAborted(signal);
    onProgress?.(at, shared.length);
    const part = shared.slice(at, at + size);
    const result = await comparePart(part, options);
    rows.push(...result.rows);
    at += part.length;
    // What comes next is about as large as what came last, or a few times that.
    const fitting = Math.floor((bytes * part.length) / Math.max(1, result.bytes));
    size = Math.max(1, Math.min(chunk, fitting, 4 * size));
  }
  return {
    a: { model: a.which, provider: a.provider.name },
    b: { model: b.which, provider: b.provider.name },
    rows,
  };
}

/** The tensors that nodes of both main graphs give, in the order of the first. */
function sharedTensors(a: OnnxDocument, b: OnnxDocument): Shared[] {
  const [first, second] = [describe(a), describe(b)];
  const sites = new Set([...first.sites, ...second.sites]);
  const theirs = new Set(second.made.map(({ output }) => output));
  return first.made
    .filter(({ output }) => theirs.has(output))
    .map((made) => ({ ...made, site: sites.has(made.output) }));
}

function describe(document: OnnxDocument) {
  const { graph } = document;
  const analysis = analyse(document);
  const made = graph.nodes.flatMap((node) =>
    node.outputs
      .filter((output) => output !== '')
      .map((output) => ({ node: nodeLabel(node), op: node.opType, output })),
  );
  const sites = [...findSites(document, {}, analysis).sites, ...recognise(document, analysis)];
  const names = sites.flatMap(({ node, scope }) => (scope === graph ? (node.outputs[0] ?? []) : []));
  return { made, sites: names };
}

/** Compares some tensors; halves them until what fails is alone. */
async function comparePart(
  part: readonly Shared[],
  options: ModelLayerOptions,
): Promise<{ rows: LayerRow[]; bytes: number }> {
  try {
    return await runPart(part, options);
  } catch (error) {
    if (!(error instanceof OnnxMishError) || error.code !== 'run-failed') throw error;
    const [only] = part;
    if (part.length === 1 && only !== undefined) {
      const nothing = { n: 0, a: null, b: null, maxAbs: null, cosine: null, sqnr: null };
      return { rows: [{ ...only, ...nothing, problem: error.what }], bytes: 0 };
    }
    const half = Math.ceil(part.length / 2);
    const [left, right] = [
      await comparePart(part.slice(0, half), options),
      await comparePart(part.slice(half), options),
    ];
    return { rows: [...left.rows, ...right.rows], bytes: left.bytes + right.bytes };
  }
}

async function runPart(
  part: readonly Shared[],
  options: ModelLayerOptions,
): Promise<{ rows: LayerRow[]; bytes: number }> {
  const { a, b, feeds, session, signal, copies } = options;
  const names = part.map(({ output }) => output);
  const meters = part.map((tensor) => {
    return { tensor, drift: driftMeter(tensor.output), a: momentsMeter(), b: momentsMeter() };
  });
  let bytes = 0;
  let other: Session | undefined;
  await withExposed(a.model, names, copies, async (before) => {
    const reference = await a.provider.open(before.file, session);
    try {
      await withExposed(b.model, names, copies, async (after) => {
        try {
          for (const feed of feeds) {
            stopIfAborted(signal);
            const want = await reference.run(feed);
            const shapes = { inputs: dimsOf(feed), outputs: dimsOf(want) };
            other ??= await b.provider.open(after.file, { ...session, shapes });
            const got = await other.run(feed);
            bytes = Math.max(bytes, sizeOf(want));
            for (const meter of meters) {
              const { output } = meter.tensor;
              const [x, y] = [before.get(want, output), after.get(got, output)];
              meter.drift.add(x, y);
              meter.a.add(x);
              meter.b.add(y);
            }
          }
        } finally {
          await other?.close();
        }
      });
    } finally {
      await reference.close();
    }
  });
  const rows = meters.map((meter): LayerRow => {
    const { n, maxAbs, cosine, sqnr, broken, problem } = meter.drift.result();
    return {
      ...meter.tensor,
      ...{ n, maxAbs, cosine, sqnr },
      a: meter.a.result(),
      b: meter.b.result(),
      problem: problem ?? (broken > 0 ? `${broken} of its elements are not finite` : null),
    };
  });
  return { rows, bytes };
}

function sizeOf(tensors: Tensors): number {
  return Object.values(tensors).reduce(
    (sum, { data }) => sum + (ArrayBuffer.isView(data) ? data.byteLength : 0),
    0,
  );
}
