// Units (channels or features) whose activation gets no positive input.

import { ownProperty } from '../base/own.js';
import { unitMeter } from '../calibrate/activations/activation-meter.js';
import { unitAxis } from '../calibrate/activations/unit-axis.js';
import type { Feeds } from '../data/dataset.js';
import { indexGraphs } from '../onnx/graph-index.js';
import { withExposed } from '../providers/exposed-model.js';
import type { EditableModel } from '../providers/loaded-model.js';
import type { OnProvider, SessionOptions } from '../providers/provider.js';
import { type Tensor, toNumbers } from '../providers/tensor.js';
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
  options: MeasureOptions,
): Promise<Map<string, UnitCount>> {
  const index = indexGraphs(model.document);
  const meters = new Map(names.map((name) => [name, unitMeter(unitAxis(index, model.document.graph, name))]));
  await readTensors(model, names, feeds, options, (name, tensor) => {
    const values = tensor && toNumbers(tensor);
    if (values !== undefined) meters.get(name)?.add(values, tensor?.dims ?? []);
  });
  const counts = new Map<string, UnitCount>();
  for (const [name, meter] of meters) {
    const units = meter.result();
    if (units) counts.set(name, { count: units.count, neverPositive: units.neverPositive });
  }
  return counts;
}

/** Divides names into the tensors of each pass, without repetitions. */
function passes(names: readonly string[]): string[][] {
  const all = [...new Set(names)];
  const count = Math.ceil(all.length / TENSORS_PER_PASS);
  return Array.from({ length: count }, (_, pass) =>
    all.slice(pass * TENSORS_PER_PASS, (pass + 1) * TENSORS_PER_PASS),
  );
}

type MeasureOptions = OnProvider & { readonly session?: SessionOptions | undefined };

/** Calls `add` with each named tensor of each run. Names from nested graphs are left out. */
export async function readTensors(
  model: EditableModel,
  names: readonly string[],
  feeds: Feeds,
  options: MeasureOptions,
  add: (name: string, tensor: Tensor | undefined) => void,
): Promise<void> {
  const { nodes, inputs } = model.document.graph;
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  const given = new Set(inputs.map(({ name }) => name));
  for (const part of passes(names.filter((name) => made.has(name) || given.has(name)))) {
    const inside = part.filter((name) => made.has(name));
    await withExposed(model, inside, undefined, (exposed) =>
      withSession(exposed.file, options, async (session) => {
        for await (const feed of feeds) {
          const outputs = await session.run(feed);
          for (const name of part)
            add(name, made.has(name) ? exposed.get(outputs, name) : ownProperty(feed, name));
        }
      }),
    );
  }
}
