import type { Subset } from '../../data/split.js';
import { countCurved } from '../../metrics/curved-share.js';
import { recognise } from '../../mish/recognise.js';
import type { SiteReport } from '../../mish/results.js';
import type { Spliced } from '../../onnx/splice.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import type { OnProvider } from '../../providers/provider.js';
import { type Tensor, toNumbers } from '../../providers/tensor.js';
import { type MeasureTensorsOptions, measureTensors } from './measure-tensors.js';

/** A site with the share of its inputs in Mish's curved part. */
export interface SiteWithCurvedShare extends SiteReport {
  /** Curved share: share of inputs with |βx| < 4, where Mish is neither nearly 0 nor nearly x; null if not measured. */
  readonly bends: number | null;
}

/** Measures the curved share of each site of the main graph, in the edited model. */
export async function withCurvedShares(
  sites: readonly SiteReport[],
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
  const model = await original.edited(edited);
  const { document } = model;
  const produced = new Set(document.graph.nodes.flatMap(({ outputs }) => outputs));
  const places = (await recognise(document))
    .filter(({ scope, x }) => scope === document.graph && produced.has(x))
    .map(({ x, beta, node }) => ({
      ...{ input: x, fed: false, output: node.outputs[0] ?? '' },
      meter: () => curvedShareMeter(beta),
    }));
  const measured = await measureTensors(places, { feeds, runs }, model, {
    ...{ provider, session, signal, onProgress },
  });
  const shares = new Map<string, number | null>();
  for (const [{ output }, result] of measured)
    if (result.why === undefined) shares.set(output, result.meter.share());
  return sites.map((site) => {
    const share = site.scope === 'graph' ? shares.get(site.output) : undefined;
    return { ...site, bends: share ?? null };
  });
}

function curvedShareMeter(beta: number) {
  let [n, curved] = [0, 0];
  return {
    add(tensor: Tensor | undefined) {
      const values = (tensor && toNumbers(tensor)) ?? [];
      curved += countCurved(values, beta);
      n += values.length;
    },
    share: () => (n > 0 ? curved / n : null),
  };
}
