import type { Analysis } from '../onnx/analysis.js';
import { attribute, type OnnxDocument } from '../onnx/document.js';
import type { ReplacementName } from './activation-kinds.js';
import { ACTIVATIONS } from './activations.js';
import { bestForm, limitsAt } from './best-form.js';
import { createFormCheck } from './form-obstacle.js';
import type { Target } from './forms.js';
import type { MishNode } from './rewrite.js';
import { findSites, inputOf, type Site, type SkipReason } from './sites.js';

/** Activations that a single operator computes, and that other operators compute as well. */
const KINDS: readonly ReplacementName[] = ['hardswish', 'leakyrelu', 'elu'];
const OPERATORS: ReadonlySet<string> = new Set(['HardSwish', 'LeakyRelu', 'Elu']);
/** Reasons to skip a site in a swap that forbid another way to write it, too. */
const FINAL: readonly SkipReason[] = ['integer', 'malformed', 'fused'];

/** Finds the activations other than Mish whose operator a provider lacks, each with a form that the provider has. */
export async function findUnsupported(
  document: OnnxDocument,
  analysis: Analysis,
  target: Target | undefined,
): Promise<(Site & MishNode)[]> {
  const isAbsent = document.scopes.every(({ nodes }) => nodes.every(({ opType }) => !OPERATORS.has(opType)));
  if (target === undefined || isAbsent) return [];
  const found = await findSites(document, { only: KINDS }, analysis, () => false);
  const obstacleTo = await createFormCheck(document);
  const skipped = found.skipped.filter(({ reason }) => !FINAL.includes(reason));
  return [...found.sites, ...skipped].flatMap((site) => {
    const name = KINDS.find((kind) => kind === site.kind);
    const leak = site.alpha;
    if (name === undefined || typeof leak === 'string') return [];
    if (name === 'elu' && (attribute(site.node, 'alpha')?.f ?? 1) !== 1) return [];
    const { forms } = ACTIVATIONS[name];
    const [native] = forms;
    if (native === undefined || limitsAt(native, site, target).length === 0) return [];
    const form = bestForm(forms, site, target);
    if (limitsAt(form, site, target).length > 0) return [];
    const variant = { beta: 1, leak };
    if (obstacleTo(form, site, variant) !== undefined) return [];
    return [{ ...site, ...variant, form, x: inputOf(site) }];
  });
}
