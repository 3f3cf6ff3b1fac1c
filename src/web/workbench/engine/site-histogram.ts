import { OnnxMishError } from '../../../base/error.js';
import { ownProperty } from '../../../base/own.js';
import type { DataMaker } from '../../../data/in-batches.js';
import { runnableNoise } from '../../../data/runnable-noise.js';
import { histogramMeter } from '../../../metrics/histogram.js';
import { findSites, inputOf } from '../../../mish/sites.js';
import { withExposed } from '../../../providers/exposed-model.js';
import type { LoadedModel } from '../../../providers/loaded-model.js';
import type { Provider } from '../../../providers/provider.js';
import { type Tensor, toNumbers } from '../../../providers/tensor.js';
import type { SiteHistogram, SitePlace } from '../protocol.js';

/**
 * Counts the inputs of one site in bins, over all feeds. Throws `bad-usage` if the model has no such site, `bad-data`
 * if the site cannot be measured, and `run-failed`.
 */
export async function histogramOf(
  model: LoadedModel,
  { site: index, to }: SitePlace,
  provider: Provider,
  data: DataMaker,
): Promise<SiteHistogram> {
  const { document } = model;
  const site = (await findSites(document, { to })).sites[index];
  if (site === undefined) throw new OnnxMishError('bad-usage', `the model has no site ${index}`);
  const { graph } = document;
  if (site.scope !== graph) {
    throw new OnnxMishError('bad-data', 'tensors in a function or in a subgraph cannot be measured', {
      where: site.scope.path,
    });
  }
  const input = inputOf(site);
  const made = graph.nodes.some(({ outputs }) => outputs.includes(input));
  const meter = histogramMeter();
  const add = (tensor: Tensor | undefined) => meter.add((tensor && toNumbers(tensor)) ?? []);
  await withExposed(model, made ? [input] : [], undefined, async (exposed) => {
    const session = await provider.open(exposed.file);
    try {
      const { feeds } = await runnableNoise(session, data(session.inputs, session.outputs));
      for await (const feed of feeds) {
        add(made ? exposed.get(await session.run(feed), input) : ownProperty(feed, input));
      }
    } finally {
      await session.close();
    }
  });
  const histogram = meter.result();
  if (histogram !== null) return histogram;
  throw new OnnxMishError('bad-data', 'the inputs of this site are all NaN or infinite', { where: input });
}
