import { stopIfAborted } from '../../base/abort.js';
import type { Part } from '../../data/split.js';
import { recognise } from '../../mish/recognise.js';
import type { SiteReport } from '../../mish/results.js';
import type { Spliced } from '../../onnx/splice.js';
import { withExposed } from '../../providers/exposed-model.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import type { OnProvider, SessionOptions } from '../../providers/provider.js';
import { toNumbers } from '../../providers/tensor.js';

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
  original: EditableModel,
  edited: Spliced,
  { feeds }: Part,
  options: OnProvider & { session?: SessionOptions | undefined; signal?: AbortSignal | undefined },
): Promise<BentSite[]> {
  const model = await original.edited(edited);
  const { document } = model;
  const found = (await recognise(document)).filter(({ scope }) => scope === document.graph);
  const made = new Set(document.graph.nodes.flatMap(({ outputs }) => outputs));
  const measured = found.filter(({ x }) => made.has(x));
  const meters = measured.map(({ x, beta, node }) => ({
    x,
    beta,
    y: node.outputs[0] ?? '',
    n: 0,
    inside: 0,
  }));
  const names = [...new Set(measured.map(({ x }) => x))];
  await withExposed(model, names, undefined, async (exposed) => {
    const session = await options.provider.open(exposed.file, options.session);
    try {
      for await (const feed of feeds) {
        stopIfAborted(options.signal);
        const outputs = await session.run(feed);
        for (const meter of meters) {
          const tensor = exposed.get(outputs, meter.x);
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
