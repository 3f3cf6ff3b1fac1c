import { createNodeWriter, withInputs } from '../../mish/node-writer.js';
import { type Node, rewriteObstacle } from '../../onnx/document.js';
import { indexGraphs } from '../../onnx/graph-index.js';
import { floatTensor } from '../../onnx/model-passes/float-tensor.js';
import { behindIdentity, numberUses } from '../../onnx/number-uses.js';
import { splice } from '../../onnx/splice.js';
import { readWeight, weightOf } from '../../onnx/weights.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import { elementCount } from '../../providers/tensor.js';
import { linearLayers } from './linear-layers.js';
import { MAX_COPIED_ELEMENTS } from './stored-weights.js';

/** Slots of the weights and the bias of a layer. */
const SLOTS = [1, 2] as const;

/**
 * Gives layers after the sites copies of weights that something else reads as well, such as the table of a Gather, or a layer with
 * another bias. So they can be solved, and the other readers keep what they read. Nodes that apply the same weights with the same
 * bias share a copy. Copies have at most `MAX_COPIED_ELEMENTS` elements together. Throws as `readWeight` does.
 */
export async function ownWeights(
  model: EditableModel,
  sites: ReadonlySet<string>,
): Promise<{ readonly model: EditableModel; readonly elements: number }> {
  const { document, openData } = model;
  const { graph } = document;
  const index = indexGraphs(document);
  const { sharing } = linearLayers(document, index, sites);
  const nodes = new Set(sharing.flatMap(({ node }) => (rewriteObstacle(node) === undefined ? [node] : [])));
  const writer = createNodeWriter(document);
  const copies = new Map<string, string>();
  const kept = new Set<string>();
  let elements = 0;
  for (const { node, bias } of sharing) {
    if (!nodes.has(node)) continue;
    const inputs = [...node.inputs];
    for (const slot of SLOTS) {
      const name = behindIdentity(index, graph, inputs[slot] ?? '');
      const weight = weightOf(index, graph, name);
      if (weight === undefined || weight.home !== graph) continue;
      const uses = numberUses(index, graph, name);
      if (uses.length === 1) continue;
      const key = JSON.stringify([name, slot, bias, applicationOf(node)]);
      const known = copies.get(key);
      const size = elementCount(weight.tensor.dims);
      if (known !== undefined) inputs[slot] = known;
      else if (!kept.has(name) && uses.every((use) => use.kind === 'input' && nodes.has(use.node))) {
        // If all readers get copies, the first of them keeps the tensor.
        kept.add(name);
        copies.set(key, name);
      } else if (elements + size <= MAX_COPIED_ELEMENTS) {
        const values = await readWeight(document, weight, openData);
        inputs[slot] = writer.define(graph, name, floatTensor(values, weight.type, weight.tensor.dims));
        copies.set(key, inputs[slot] ?? name);
        elements += size;
      }
    }
    if (inputs.some((name, slot) => name !== node.inputs[slot]))
      writer.replace(graph, node, [withInputs(node, inputs)]);
  }
  if (elements === 0) return { model, elements };
  return { model: await model.edited(splice(document.source, [...writer.finish(undefined)])), elements };
}

/** Returns the same text for nodes that apply weights in the same way. Each BatchNormalization is solved alone. */
function applicationOf({ opType, attributes, outputs }: Node): string {
  const shown = attributes.map(({ name, i, f }) => [name, i ?? null, f ?? null]);
  return JSON.stringify([opType, opType === 'BatchNormalization' ? outputs : [], shown.sort()]);
}
