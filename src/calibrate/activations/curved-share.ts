import type { Subset } from '../../data/split.js';
import { countCurved, hasSharpness, MAX_CURVED_INPUT } from '../../metrics/curved-share.js';
import { recognise } from '../../mish/recognise.js';
import { type SiteReport, type SwapReport, siteKey } from '../../mish/results.js';
import { findSites, inputOf } from '../../mish/sites.js';
import type { OnnxDocument } from '../../onnx/document.js';
import type { Spliced } from '../../onnx/splice.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import type { OnProvider } from '../../providers/provider.js';
import { type Tensor, toNumbers } from '../../providers/tensor.js';
import { type MeasureTensorsOptions, measureTensors } from './measure-tensors.js';

/** A site with the share of its inputs in the curved part of its new activation. */
export interface SiteWithCurvedShare extends SiteReport {
  /** Curved share: share of inputs for which the new activation is neither nearly 0 nor nearly x (Mish: |βx| < 4); null if not measured. */
  readonly bends: number | null;
}

/** Measures the curved share of each site of the main graph, in the edited model. The second argument is the swap that wrote the sites. */
export async function withCurvedShares(
  sites: readonly SiteReport[],
  { to, sites: nodes }: Pick<SwapReport, 'to' | 'sites'>,
  original: EditableModel,
  edited: Spliced,
  { feeds, runs }: Subset,
  {
    provider,
    session,
    signal,
    onProgress,
  }: OnProvider & Pick<MeasureTensorsOptions, 'session' | 'signal' | 'onProgress'>,
): Promise<SiteWithCurvedShare[]> {
  if (!hasSharpness(to)) return sites.map((site) => ({ ...site, bends: null }));
  const model = await original.edited(edited);
  const { document } = model;
  const produced = new Set(document.graph.nodes.flatMap(({ outputs }) => outputs));
  const betas = new Map(nodes.map((site) => [siteKey(site), site.beta]));
  const places = (await inputsOf(to, document))
    .filter(({ input }) => produced.has(input))
    .map((place) => {
      const beta = betas.get(siteKey({ scope: document.graph.path, output: place.output })) ?? 1;
      return { ...place, fed: false, meter: () => curvedShareMeter(beta, MAX_CURVED_INPUT[to]) };
    });
  const measured = await measureTensors(places, { feeds, runs }, model, {
    provider,
    session,
    signal,
    onProgress,
  });
  const shares = new Map<string, number | null>();
  for (const [{ output }, result] of measured)
    if (result.why === undefined) shares.set(output, result.meter.share());
  return sites.map((site) => {
    const share = site.scope === 'graph' ? shares.get(site.output) : undefined;
    return { ...site, bends: share ?? null };
  });
}

/** Returns the inputs and outputs of an activation in the main graph. */
async function inputsOf(to: SwapReport['to'], document: OnnxDocument) {
  const { graph } = document;
  const found =
    to === 'mish'
      ? await recognise(document)
      : (await findSites(document, { only: [to] })).sites.map((site) => ({ ...site, x: inputOf(site) }));
  return found
    .filter(({ scope }) => scope === graph)
    .map(({ x, node }) => ({ input: x, output: node.outputs[0] ?? '' }));
}

function curvedShareMeter(beta: number, maxCurved: number) {
  let [n, curved] = [0, 0];
  return {
    add(tensor: Tensor | undefined) {
      const values = (tensor && toNumbers(tensor)) ?? [];
      curved += countCurved(values, beta, maxCurved);
      n += values.length;
    },
    share: () => (n > 0 ? curved / n : null),
  };
}
