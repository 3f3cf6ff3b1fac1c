// Units (channels or features) whose activation gets no positive input.

import { activationMeter } from '../calibrate/activations/activation-meter.js';
import { unitAxis } from '../calibrate/activations/unit-axis.js';
import type { Feeds } from '../data/dataset.js';
import { indexGraphs } from '../onnx/graph-index.js';
import { withExposed } from '../providers/exposed-model.js';
import type { EditableModel } from '../providers/loaded-model.js';
import type { OnProvider, SessionOptions } from '../providers/provider.js';
import { withSession } from '../providers/with-session.js';

/** Number of units of a tensor, and of those that are never positive. */
export interface UnitCount {
  readonly count: number;
  readonly neverPositive: number;
}

/** Maximum number of tensors in a pass, so that a run's outputs stay small. */
const TENSORS_PER_PASS = 12;

/** Counts the units of tensors over some feeds. A tensor that cannot be measured is absent. */
export async function countUnits(
  model: EditableModel,
  names: readonly string[],
  feeds: Feeds,
  options: OnProvider & { readonly session?: SessionOptions | undefined },
): Promise<Map<string, UnitCount>> {
  const index = indexGraphs(model.document);
  const counts = new Map<string, UnitCount>();
  const all = [...new Set(names)];
  for (let from = 0; from < all.length; from += TENSORS_PER_PASS) {
    const part = all.slice(from, from + TENSORS_PER_PASS);
    const meters = part.map((name) =>
      activationMeter(unitAxis(index, model.document.graph, name), undefined),
    );
    await withExposed(model, part, undefined, (exposed) =>
      withSession(exposed.file, options, async (session) => {
        for await (const feed of feeds) {
          const outputs = await session.run(feed);
          for (const [place, name] of part.entries()) meters[place]?.add(exposed.get(outputs, name));
        }
      }),
    );
    for (const [place, name] of part.entries()) {
      const units = meters[place]?.result().units;
      if (units) counts.set(name, { count: units.count, neverPositive: units.neverPositive });
    }
  }
  return counts;
}
