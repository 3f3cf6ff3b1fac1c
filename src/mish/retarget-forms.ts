import { integer } from '../base/plural.js';
import type { Analysis } from '../onnx/analysis.js';
import type { OnnxDocument } from '../onnx/document.js';
import { createFormCheck } from './form-obstacle.js';
import type { Form } from './forms.js';
import type { NoteOptions } from './notes.js';
import type { OpsetAdvice } from './opset.js';
import { type Recognised, recognise } from './recognise.js';
import type { RetargetOptions } from './retarget-report.js';
import { scalarTest } from './rewrite-mish.js';
import { checkOpset, type Site, type Skip } from './sites.js';
import { webglFormOf } from './webgl-forms.js';

export { doubtsOf } from './retarget-doubts.js';

/** The Mish that a retarget rewrites, and the Mish that stays. */
export interface NewForms {
  /** The Mish to rewrite, each with its new form. */
  readonly sites: readonly Recognised[];
  /** The Mish to rewrite in the chosen form, as it was. Mish that stays approximate is not among it. */
  readonly changed: readonly Recognised[];
  /** The Mish that stays approximate, rewritten or not. */
  readonly kept: ReadonlySet<Recognised>;
  readonly skipped: readonly Skip[];
  /** Number of Mish that need no change. */
  readonly unchanged: number;
}

/** Chooses the new form of each Mish. Without a form in the options, an approximate form stays the same function. */
export async function newForms(
  document: OnnxDocument,
  analysis: Analysis,
  common: Form,
  advice: OpsetAdvice,
  { form, target, keepApproximate = form === undefined }: RetargetOptions,
): Promise<NewForms> {
  const found = await recognise(document, analysis);
  const isScalar = await scalarTest(common, analysis.index);
  const obstacleTo = await createFormCheck(document);
  const kept = new Set(found.filter(({ bound }) => keepApproximate && bound !== undefined));
  const formAt = (mish: Recognised): Form | undefined => {
    if (kept.has(mish)) return target === 'webgl' ? webglFormOf(mish) : undefined;
    return mish.written !== common.name || isScalar(mish) ? common : undefined;
  };
  const [sites, changed, skipped]: [Recognised[], Recognised[], Skip[]] = [[], [], []];
  for (const mish of found) {
    const next = formAt(mish);
    if (next === undefined) continue;
    checkOpset(next, mish.scope, document, advice, mish.form.name);
    const obstacle = obstacleTo(next, mish, mish);
    if (obstacle !== undefined) skipped.push({ ...asSite(mish), ...obstacle });
    else {
      sites.push({ ...mish, form: next });
      if (!kept.has(mish)) changed.push(mish);
    }
  }
  return { sites, changed, kept, skipped, unchanged: found.length - sites.length - skipped.length };
}

/** Returns a Mish as a site, whose kind is its form. */
export function asSite({ node, scope, written, type }: Recognised): Site {
  return { node, scope, kind: written, alpha: undefined, type };
}

/** Returns a note on Mish that stays approximate, and a note on Mish that becomes exact. Adds the advised options to `options`. */
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
    const note = `${integer(kept.size)} Mish in the ${names} form stay approximate, within ${bound} of Mish; name a form to write them exactly`;
    notes.push(note);
    options[note] = { form: form.bound === undefined ? form.name : 'exp' };
  }
  const exact = form.bound === undefined ? changed.filter(({ bound }) => bound !== undefined) : [];
  if (exact.length > 0) {
    const { names, bound } = describe(exact);
    notes.push(
      `${integer(exact.length)} Mish in the ${names} form became exact: each output of theirs changes by at most ${bound}`,
    );
  }
  return notes;
}
