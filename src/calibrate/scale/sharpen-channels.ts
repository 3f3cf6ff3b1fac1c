import { median } from '../../metrics/statistics.js';
import { type FoldedSite, keyOfSite, siteKey } from '../../mish/results.js';
import type { Rescaled } from './rescale.js';
import { type RescaleChannelsOptions, rescaleChannels, type SampledSite } from './rescale-channels.js';

/** Gives the channels of a rescaled model a sharpness of their own, where that helps, as `rescaleChannels` does. */
export async function sharpenChannels(
  rescaled: Rescaled,
  sites: readonly Omit<SampledSite, 'beta'>[],
  options: Omit<RescaleChannelsOptions, 'sites'>,
): Promise<Rescaled> {
  const betas = new Map(rescaled.folded.map((site) => [siteKey(site), site.beta]));
  const { model, scales } = await rescaleChannels(rescaled.model, {
    ...options,
    sites: sites.map((one) => ({ ...one, beta: betas.get(keyOfSite(one.site)) ?? 1 })),
  });
  const byKey = new Map([...scales].map(([site, own]) => [keyOfSite(site), own]));
  const folded = rescaled.folded.map((site) => withChannels(site, byKey.get(siteKey(site))));
  return { ...rescaled, model, folded };
}

/** Adds the least and the largest sharpness of a site's channels, whose median stands for the site. */
function withChannels(site: FoldedSite, scales: Float64Array | undefined): FoldedSite {
  if (scales === undefined) return site;
  const rounded = (scale: number) => Number((site.beta * scale).toPrecision(3));
  const sorted = [...scales].sort((a, b) => a - b);
  const [least = 1, most = 1] = [sorted[0], sorted.at(-1)];
  return { ...site, beta: rounded(median(sorted)), channels: [rounded(least), rounded(most)] };
}
