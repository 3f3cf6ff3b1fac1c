import { stopIfAborted } from '../base/abort.js';
import { OnnxMishError } from '../base/error.js';
import { recognise } from '../mish/recognise.js';
import { findSites } from '../mish/sites.js';
import { analyse } from '../onnx/analysis.js';
import { nodeLabel, type OnnxDocument } from '../onnx/document.js';
import type { ModelLayerOptions, SharedTensor } from './layer-options.js';
import { meterLayers } from './meter-layers.js';
import { probeMemory } from './probe-memory.js';
import type { LayerComparison, LayerRow } from './report-schema.js';
import { inPasses, MAX_FIRST_TENSORS } from './tensor-passes.js';

/**
 * Compares the inner tensors of two models, or of one model on two providers, in topological order. Tensors are
 * matched by name: a swap keeps the names of its sites' outputs.
 *
 * As many tensors at a time as fit into memory become outputs of copies of the models. Each pass costs a run.
 * ONNX Runtime cannot fuse away a tensor that is an output. With `optimisation: 'disabled'` every operator runs as
 * written; the default keeps the remaining fusions, whose kernels may be wrong. A tensor that makes a pass fail gets
 * a row with the reason. Throws `bad-data` without feeds, `run-failed` if the models themselves fail, `aborted`.
 */
export async function compareModelLayers(options: ModelLayerOptions): Promise<LayerComparison> {
  const { a, b, feeds, copies = false, sitesOnly = false, signal, onProgress } = options;
  if (feeds.length === 0) throw new OnnxMishError('bad-data', 'the data set has no feeds for the models');
  const tensors = await sharedTensors(a.model.document, b.model.document);
  const shared = tensors.filter(({ site }) => site || !sitesOnly);
  const rows: LayerRow[] = [];
  stopIfAborted(signal);
  // Small passes leave more of the fusions that a comparison of providers is about.
  const isProbed = !copies && shared.length > MAX_FIRST_TENSORS;
  await inPasses(shared, options, {
    bytesOf: isProbed ? await probeMemory(options) : undefined,
    before: (done) => {
      stopIfAborted(signal);
      onProgress?.(done, shared.length);
    },
    run: async (part) => {
      const result = await meterLayers(part, options);
      rows.push(...result.rows);
      return result.bytes;
    },
    failed: (tensor, problem) => void rows.push({ ...tensor, ...NO_FIGURES, problem }),
  });
  return {
    a: { model: a.which, provider: a.provider.name },
    b: { model: b.which, provider: b.provider.name },
    runs: feeds.length,
    rows,
  };
}

/** Returns the tensors that nodes of both main graphs output, in the order of the first model. */
async function sharedTensors(a: OnnxDocument, b: OnnxDocument): Promise<SharedTensor[]> {
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
