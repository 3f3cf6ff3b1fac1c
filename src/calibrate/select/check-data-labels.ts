import { type Dataset, type Feeds, firstFeed } from '../../data/dataset.js';
import { labelledPerRun, labelsOf } from '../../data/labels.js';
import { checkLabels } from '../../metrics/label-meters.js';
import type { Session } from '../../providers/provider.js';

/**
 * Checks the labels of all samples before the work starts, also of samples that no accuracy will be computed on. `outputs` are
 * the outputs that count. Throws `bad-data` for labels that do not fit the original's outputs, and what a run throws.
 */
export async function checkDataLabels(
  original: Session,
  dataset: Dataset<Feeds>,
  outputs: readonly string[],
): Promise<void> {
  const labels = labelsOf(dataset);
  const { feeds } = dataset;
  const first = labels && (await firstFeed(feeds));
  if (labels === undefined || first === undefined) return;
  const samples = labelledPerRun(labels, feeds.length);
  checkLabels(outputs, await original.run(first), labels, { samples });
}
