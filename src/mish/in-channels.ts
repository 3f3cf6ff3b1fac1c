import type { Node } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import type { Form, Variant } from './forms.js';
import type { MishNode } from './rewrite.js';

/** Loads what only approximate forms need, for smaller pages. */
const load = () => import('./channelwise.js');

/** Rewrites approximate forms to compute on channels where possible, unless `blocked` is false; see `channelwise`. */
export async function inChannels(
  targets: readonly MishNode[],
  index: GraphIndex,
  { blocked = true }: { readonly blocked?: boolean | undefined } = {},
): Promise<readonly MishNode[]> {
  return blocked && targets.some(({ form }) => form.bound)
    ? (await load()).channelwise(targets, index)
    : targets;
}

/** Returns the bound of an approximate form at these sites, for a report, and its note; both empty for other forms. */
export async function boundsOf(
  form: Form,
  sites: readonly Variant[],
): Promise<{ readonly bound: { readonly bound?: number }; readonly notes: readonly string[] }> {
  return form.bound ? (await load()).describeBound(form, sites) : { bound: {}, notes: [] };
}

/** Returns a test whether a Mish has scalar steps that `channelwise` would replace. Only approximate forms have such steps. */
export async function scalarTest(
  form: Form,
  index: GraphIndex,
): Promise<(mish: MishNode & { readonly inner: readonly Node[] }) => boolean> {
  if (!form.bound) return () => false;
  return (await load()).createScalarTest(index);
}
