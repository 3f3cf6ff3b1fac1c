import type { OnnxDocument } from '../onnx/document.js';
import { neededNodes } from '../onnx/extract.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { type Weight, weightOf } from '../onnx/weights.js';
import { elementCount } from '../providers/tensor.js';
import { listNames, type TrainingRemark } from './training-remark.js';

/** Inputs whose numbers are settings or statistics, by operator. */
const SETTINGS: Readonly<Record<string, readonly number[]>> = {
  BatchNormalization: [3, 4],
  Resize: [1, 2],
  Upsample: [1],
  OneHot: [2],
};

/**
 * Describes the constants of several elements that a loss depends on and that no training moves, because no operator marks them as
 * weights. `others` has the names of constants that need no remark.
 */
export function keptConstants(
  document: OnnxDocument,
  index: GraphIndex,
  read: string,
  weights: readonly Weight[],
  others: ReadonlySet<string>,
): TrainingRemark[] {
  const { graph } = document;
  const silent = new Set([...weights.map(({ name }) => name), ...others]);
  const found = new Set<string>();
  for (const { domain, opType, inputs } of neededNodes(document, [read])) {
    const settings = domain === '' && Object.hasOwn(SETTINGS, opType) ? SETTINGS[opType] : undefined;
    for (const [slot, name] of inputs.entries()) {
      if (silent.has(name) || settings?.includes(slot)) continue;
      const weight = weightOf(index, graph, name);
      if (weight?.home === graph && elementCount(weight.tensor.dims) > 1) found.add(name);
    }
  }
  if (found.size === 0) return [];
  const text = `Constants that no operator marks as weights stay as they are: ${listNames([...found])}`;
  return [{ code: 'constants-kept', text }];
}
