import { isTargetTensor, type Targets } from '../train/targets.js';
import { resolveSettings, type TrainerSettings } from '../train/trainer-options.js';

/**
 * Returns the number of classes that the targets of so many samples have, without the ignored label; null unless the targets are a
 * class number for each sample.
 */
export function countClasses(
  targets: Targets,
  count: number,
  settings: Pick<TrainerSettings, 'loss' | 'ignoreLabel'>,
): number | null {
  const { loss, ignoreLabel } = resolveSettings(settings);
  const values = isTargetTensor(targets) ? targets.data : targets;
  if (loss === 'mse' || values.length !== count) return null;
  const labels = Array.from(values, Number);
  if (!labels.every(Number.isInteger)) return null;
  return new Set(labels.filter((label) => label !== ignoreLabel)).size;
}
