import type { Plan } from '../../mish/plan.js';
import { swapDocument } from '../../mish/swap.js';
import type { OnnxDocument } from '../../onnx/document.js';
import { indexGraphs } from '../../onnx/graph-index.js';
import type { EditableModel } from '../../providers/loaded-model.js';
import type { LinearLayer } from './linear-layers.js';

/**
 * Returns the model that supplies a layer's inputs in symmetric reconstruction: the original with only the sites directly
 * before the layer swapped. The layer then compensates these sites alone, not the errors of earlier layers.
 */
export async function symmetricModel(
  original: EditableModel,
  plan: Plan,
  layer: LinearLayer,
): Promise<EditableModel> {
  const { document } = original;
  const near = sitesBefore(document, plan, layer.x);
  const sites = plan.sites.filter(({ scope, output }) => scope === 'graph' && near.has(output));
  const { output } = await swapDocument(document, { plan: { ...plan, sites }, undo: false, blocked: false });
  return original.edited(output);
}

/** Returns the sites that reach a tensor without passing through another site. */
function sitesBefore(document: OnnxDocument, plan: Plan, name: string): ReadonlySet<string> {
  const sites = new Set(plan.sites.map(({ output }) => output));
  const index = indexGraphs(document);
  const near = new Set<string>();
  const seen = new Set<string>();
  const open = [name];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    if (sites.has(next)) near.add(next);
    else for (const input of index.producer(document.graph, next)?.inputs ?? []) open.push(input);
  }
  return near;
}
