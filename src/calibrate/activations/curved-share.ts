import { stopIfAborted } from '../../base/abort.js';
import type { Subset } from '../../data/split.js';
import { recognise } from '../../mish/recognise.js';
import type { SiteReport } from '../../mish/results.js';
import type { Spliced } from '../../onnx/splice.js';
import { withExposed } from '../../providers/exposed-model.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import type { OnProvider, SessionOptions } from '../../providers/provider.js';
import { toNumbers } from '../../providers/tensor.js';
import { withSession } from '../../providers/with-session.js';
import { MAX_CURVED_INPUT } from './activation-meter.js';

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
  { feeds }: Subset,
  options: OnProvider & { session?: SessionOptions | undefined; signal?: AbortSignal | undefined },
): Promise<SiteWithCurvedShare[]> {
  const model = await original.edited(edited);
  const { document } = model;
  const swapped = (await recognise(document)).filter(({ scope }) => scope === document.graph);
  const produced = new Set(document.graph.nodes.flatMap(({ outputs }) => outputs));
  const measured = swapped.filter(({ x }) => produced.has(x));
  const meters = measured.map(({ x, beta, node }) => ({
    x,
    beta,
    y: node.outputs[0] ?? '',
    n: 0,
    inside: 0,
  }));
  const names = [...new Set(measured.map(({ x }) => x))];
  await withExposed(model, names, undefined, (exposed) =>
    withSession(exposed.file, options, async (session) => {
      for await (const feed of feeds) {
        stopIfAborted(options.signal);
        const outputs = await session.run(feed);
        for (const meter of meters) {
          const tensor = exposed.get(outputs, meter.x);
          const values = (tensor && toNumbers(tensor)) ?? [];
          const limit = MAX_CURVED_INPUT / meter.beta;
          for (let index = 0; index < values.length; index++)
            if (Math.abs(values[index] as number) < limit) meter.inside++;
          meter.n += values.length;
        }
      }
    }),
  );
  const shares = new Map(meters.map(({ y, n, inside }) => [y, n > 0 ? inside / n : null]));
  return sites.map((site) => {
    const share = site.scope === 'graph' ? shares.get(site.output) : undefined;
    return { ...site, bends: share ?? null };
  });
}
