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
import { byteCount, dimsOf, type Tensors } from '../providers/tensor.js';
import type { LayerComparison, LayerRow } from './report-schema.js';
import { inPasses, type PassLimits } from './tensor-passes.js';

/** A model and the provider that runs the model. */
export interface ModelRun {
  readonly which: 'original' | 'swapped';
  readonly model: LoadedModel;
  readonly provider: Provider;
}

export interface ModelLayerOptions extends PassLimits {
  /** The reference; its provider, the CPU, runs every model. */
  readonly a: ModelRun;
  readonly b: ModelRun;
  readonly feeds: readonly Tensors[];
  /** Whether to read copies of the tensors, see `exposeTensors`; set when comparing providers. */
  readonly copies?: boolean | undefined;
  /** Whether to compare only the outputs of sites; default: the outputs of all nodes. */
  readonly sitesOnly?: boolean | undefined;
  readonly session?: SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
}

/** A tensor that both models have. */
interface Shared {
  readonly node: string;
  readonly op: string;
  readonly output: string;
  readonly site: boolean;
}

/**
 * Compares the inner tensors of two models, or of one model on two providers, in topological order. Tensors are
 * matched by name: a swap keeps the names of its sites' outputs.
 *
 * A few tensors at a time become outputs of copies of the models. So memory stays bounded, and each pass costs a run.
 * ONNX Runtime cannot fuse away a tensor that is an output. With `optimisation: 'disabled'` every operator runs as
 * written; the default keeps the remaining fusions, whose kernels may be wrong. A tensor that makes a pass fail gets
 * a row with the reason. Throws `run-failed` if the models themselves fail, `aborted`.
 */
export async function compareModelLayers(options: ModelLayerOptions): Promise<LayerComparison> {
  const { a, b, feeds, sitesOnly = false, signal, onProgress } = options;
  if (feeds.length === 0) throw new OnnxMishError('bad-data', 'the data set has no feeds for the models');
  const tensors = await sharedTensors(a.model.document, b.model.document);
  const shared = tensors.filter(({ site }) => site || !sitesOnly);
  const rows: LayerRow[] = [];
  await inPasses(shared, options, {
    before: (done) => {
      stopIfAborted(signal);
      onProgress?.(done, shared.length);
    },
    run: async (part) => {
      const result = await runPart(part, options);
      rows.push(...result.rows);
      return result.bytes;
    },
    failed: (tensor, problem) => void rows.push({ ...tensor, ...NO_FIGURES, problem }),
  });
  return {
    a: { model: a.which, provider: a.provider.name },
    b: { model: b.which, provider: b.provider.name },
    rows,
  };
}

/** Returns the tensors that nodes of both main graphs output, in the order of the first model. */
async function sharedTensors(a: OnnxDocument, b: OnnxDocument): Promise<Shared[]> {
  const [first, second] = [await tensorsAndSites(a), await tensorsAndSites(b)];
  const sites = new Set([...first.sites, ...second.sites]);
  const others = new Set(second.tensors.map(({ output }) => output));
  return first.tensors
    .filter(({ output }) => others.has(output))
    .map((tensor) => ({ ...tensor, site: sites.has(tensor.output) }));
}

async function tensorsAndSites(document: OnnxDocument) {
  const { graph } = document;
  const analysis = analyse(document);
  const tensors = graph.nodes.flatMap((node) =>
    node.outputs
      .filter((output) => output !== '')
      .map((output) => ({ node: nodeLabel(node), op: node.opType, output })),
  );
  const found = await findSites(document, {}, analysis);
  const sites = [...found.sites, ...(await recognise(document, analysis))];
  const names = sites.flatMap(({ node, scope }) => (scope === graph ? (node.outputs[0] ?? []) : []));
  return { tensors, sites: names };
}

/** The figures of a row whose tensors could not be compared. */
export const NO_FIGURES = { n: 0, a: null, b: null, maxAbs: null, cosine: null, sqnr: null } as const;

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
            bytes = Math.max(bytes, byteCount(want));
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
      problem: problem ?? (broken > 0 ? `${broken} elements are not finite` : null),
    };
  });
  return { rows, bytes };
}
