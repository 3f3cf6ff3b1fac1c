import type { Analysis } from '../onnx/analysis.js';
import type { Node, OnnxDocument } from '../onnx/document.js';
import { depthOf } from './activation-kinds.js';
import type { Form } from './forms.js';
import { loadActivation } from './load-activation.js';
import type { Recognised } from './recognise.js';
import { createUses } from './uses.js';
import { whyOf } from './value-flow.js';

/**
 * Returns a doubt about each Mish that gets an approximate form: the form goes further below zero than Mish, or gives zero for
 * a range of inputs, and its values reach an operator that takes no such operand.
 */
export async function doubtsOf(
  document: OnnxDocument,
  form: Form,
  changed: readonly Recognised[],
  analysis: Analysis,
): Promise<ReadonlyMap<Node, string>> {
  const doubts = new Map<Node, string>();
  if (form.bound === undefined) return doubts;
  const beta = changed.reduce((least, mish) => Math.min(least, mish.beta), 1);
  const { guard, domain } = await (await import('./guards.js')).loadGuards(document);
  const to = await loadActivation({ form: form.name, beta });
  const uses = createUses(analysis, { guard }, to);
  const sites = changed.map((mish) => ({ ...mish, kind: 'mish' }));
  const domains = domain(document, analysis, sites, to.depth ?? depthOf('mish'));
  for (const { scope, x, node, leak } of changed) {
    const candidate = { scope, x, y: node.outputs[0] ?? '', kind: 'mish' };
    const purpose = uses.purpose(candidate);
    const guard = purpose?.purpose === 'guard' ? purpose : undefined;
    const verdict = guard ?? domains.get(node) ?? (leak === undefined ? uses.doubt(candidate) : undefined);
    if (verdict !== undefined) doubts.set(node, whyOf(verdict));
  }
  return doubts;
}
