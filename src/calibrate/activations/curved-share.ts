import { stopIfAborted } from '../../base/abort.js';
import { own } from '../../base/own.js';
import type { Part } from '../../data/split.js';
import { recognise } from '../../mish/recognise.js';
import type { SiteReport } from '../../mish/results.js';
import { withChanged } from '../../node/edited-copy.js';
import { exposeTensors } from '../../onnx/expose.js';
import { scan } from '../../onnx/scan.js';
import type { Spliced } from '../../onnx/splice.js';
import type { Provider, SessionOptions } from '../../providers/provider.js';
import { toNumbers } from '../../providers/tensor.js';
import type { Base } from '../repair/gather-rows.js';

/** A site with what its inputs see of Mish. */
export interface BentSite extends SiteReport {
  /** Share of its inputs with |βx| < 4, where Mish is neither 0 nor x; null where that was not measured. Elsewhere it is ReLU. */
  readonly bends: number | null;
}

/** Up to here Mish differs from ReLU by more than 0.07, or bends; beyond, it is ReLU in all but name. */
const BEND = 4;

/** Measures the share of inputs for which Mish bends, of each site of the main graph, in the model as it will be. */
export async function withBends(
  sites: readonly SiteReport[],
  original: Base,
  model: Spliced,
  { feeds }: Part,
  options: { provider: Provider; session?: SessionOptions | undefined; signal?: AbortSignal | undefined },
): Promise<BentSite[]> {
  const document = await scan(await model.bytes());
  const found = recognise(document).filter(({ scope }) => scope === document.graph);
  const made = new Set(document.graph.nodes.flatMap(({ outputs }) => outputs));
  const measured = found.filter(({ x }) => made.has(x));
  const meters = measured.map(({ x, beta, node }) => ({
    x,
    beta,
    y: node.outputs[0] ?? '',
    n: 0,
    inside: 0,
  }));
  const exposed = exposeTensors(document, [...new Set(measured.map(({ x }) => x))]);
  await withChanged(original.model, exposed.model, document.external.length > 0, async (given) => {
    const session = await options.provider.open(given, options.session);
    try {
      for await (const feed of feeds) {
        stopIfAborted(options.signal);
        const outputs = await session.run(feed);
        for (const meter of meters) {
          const tensor = own(outputs, exposed.outputs.get(meter.x) ?? meter.x);
          const values = (tensor && toNumbers(tensor)) ?? [];
          const limit = BEND / meter.beta;
          for (let index = 0; index < values.length; index++)
            if (Math.abs(values[index] as number) < limit) meter.inside++;
          meter.n += values.length;
        }
      }
    } finally {
      await session.close();
    }
  });
  const shares = new Map(meters.map(({ y, n, inside }) => [y, n > 0 ? inside / n : null]));
  return sites.map((site) => {
    const share = site.scope === 'graph' ? shares.get(site.output) : undefined;
    return { ...site, bends: share ?? null };
  });
}
