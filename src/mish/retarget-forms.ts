import type { Analysis } from '../onnx/analysis.js';
import type { Node } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import type { Form } from './forms.js';
import { loadActivation } from './load-activation.js';
import type { NoteOptions } from './notes.js';
import type { Recognised } from './recognise.js';
import type { RetargetOptions } from './retarget-report.js';
import { scalarTest } from './rewrite-mish.js';
import { createUses } from './uses.js';
import { whyOf } from './value-flow.js';
import { webglFormOf } from './webgl-forms.js';

/** The forms that a retarget writes. */
export interface NewForms {
  /** The Mish to rewrite, each with its new form. */
  readonly changes: readonly (readonly [mish: Recognised, form: Form])[];
  /** The Mish that stays approximate, rewritten or not. */
  readonly kept: ReadonlySet<Recognised>;
}

/** Chooses the new form of each Mish. Without a form in the options, an approximate form stays the same function. */
export async function newForms(
  common: Form,
  found: readonly Recognised[],
  index: GraphIndex,
  { form, target, keepApproximate = form === undefined }: RetargetOptions,
): Promise<NewForms> {
  const isScalar = await scalarTest(common, index);
  const kept = new Set(found.filter(({ bound }) => keepApproximate && bound !== undefined));
  const formAt = (mish: Recognised): Form | undefined => {
    if (kept.has(mish)) return target === 'webgl' ? webglFormOf(mish) : undefined;
    return mish.written !== common.name || isScalar(mish) ? common : undefined;
  };
  const changes = found.flatMap((mish) => {
    const form = formAt(mish);
    return form === undefined ? [] : [[mish, form] as const];
  });
  return { changes, kept };
}

/**
 * Returns a doubt about each Mish that gets an approximate form: the form goes further below zero than Mish, or gives zero for
 * a range of inputs, and its values reach an operator that takes no such operand.
 */
export async function doubtsOf(
  form: Form,
  changed: readonly Recognised[],
  analysis: Analysis,
): Promise<ReadonlyMap<Node, string>> {
  const doubts = new Map<Node, string>();
  if (form.bound === undefined) return doubts;
  const beta = changed.reduce((least, mish) => Math.min(least, mish.beta), 1);
  const uses = createUses(analysis, {}, await loadActivation({ form: form.name, beta }));
  for (const { scope, x, node, leak } of changed) {
    const candidate = { scope, x, y: node.outputs[0] ?? '', kind: 'mish' };
    const purpose = uses.purpose(candidate);
    const guard = purpose?.purpose === 'guard' ? purpose : undefined;
    const verdict = guard ?? (leak === undefined ? uses.doubt(candidate) : undefined);
    if (verdict !== undefined) doubts.set(node, whyOf(verdict));
  }
  return doubts;
}

/** Returns a note on Mish that stays approximate, and a note on Mish that becomes exact. */
export function notesOnApproximate(
  form: Form,
  changed: readonly Recognised[],
  kept: ReadonlySet<Recognised>,
  options: NoteOptions,
): string[] {
  const notes: string[] = [];
  const describe = (sites: readonly Recognised[]) => {
    const names = [...new Set(sites.map(({ written }) => written))].join(' and ');
    const bound = sites.reduce((most, site) => Math.max(most, site.bound ?? 0), 0);
    return { names, bound: Number(bound.toPrecision(3)) };
  };
  if (kept.size > 0) {
    const { names, bound } = describe([...kept]);
    const note = `${kept.size} Mish in the ${names} form stay approximate, within ${bound} of Mish; name a form to write them exactly`;
    notes.push(note);
    options[note] = { form: form.bound === undefined ? form.name : 'exp' };
  }
  const exact = form.bound === undefined ? changed.filter(({ bound }) => bound !== undefined) : [];
  if (exact.length > 0) {
    const { names, bound } = describe(exact);
    notes.push(
      `${exact.length} Mish in the ${names} form became exact: each output of theirs changes by at most ${bound}`,
    );
  }
  return notes;
}
