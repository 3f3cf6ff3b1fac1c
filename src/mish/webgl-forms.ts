import { analyse } from '../onnx/analysis.js';
import type { OnnxDocument } from '../onnx/document.js';
import { scan } from '../onnx/scan.js';
import { splice } from '../onnx/splice.js';
import { createFormCheck } from './form-obstacle.js';
import { FORM_FOR, FORMS, type Form, type Step } from './forms.js';
import { type Recognised, recognise } from './recognise.js';
import { rewriteMish } from './rewrite-mish.js';

/** A document whose Mish is in operators of WebGL. */
export interface WebglForms {
  readonly document: OnnxDocument;
  /** The form that exact Mish was rewritten to; undefined if none was. */
  readonly retargeted: string | undefined;
  /** A sentence about the approximate forms that were rewritten; undefined if none was. */
  readonly note: string | undefined;
}

/**
 * Rewrites a document's Mish in operators of WebGL. Exact forms become the form for WebGL, unless `exact` is false; an
 * approximate form stays the same function. Returns the same document if nothing changes.
 */
export async function inWebglForms(
  document: OnnxDocument,
  { exact = true }: { readonly exact?: boolean } = {},
): Promise<WebglForms> {
  const analysis = analyse(document);
  const obstacleTo = await createFormCheck(document);
  const sites = (await recognise(document, analysis)).flatMap((mish) => {
    const form = exact || mish.bound !== undefined ? webglFormOf(mish) : undefined;
    return form && obstacleTo(form, mish, mish) === undefined ? [{ ...mish, form }] : [];
  });
  if (sites.length === 0) return { document, retargeted: undefined, note: undefined };
  const output = splice(document.source, await rewriteMish(document, analysis.index, sites, {}));
  const approximate = sites.filter(({ bound }) => bound !== undefined);
  const names = [...new Set(approximate.map(({ written }) => written))].join(' and ');
  return {
    document: await scan(await output.bytes()),
    retargeted: approximate.length < sites.length ? FORM_FOR.webgl : undefined,
    note:
      approximate.length > 0
        ? `the ${names} form was written in memory in operators that WebGL has; it computes the same function`
        : undefined,
  };
}

/** Operators of approximate forms that WebGL lacks, or whose constants it lacks. */
const FOREIGN: readonly string[] = ['BatchNormalization', 'HardSigmoid'];

/** Returns the form in which WebGL can run a Mish; undefined if it already can. */
export function webglFormOf({ form, written, bound, node, inner }: Recognised): Form | undefined {
  if (bound === undefined) return written === FORM_FOR.webgl ? undefined : FORMS[FORM_FOR.webgl];
  return [node, ...inner].some(({ opType }) => FOREIGN.includes(opType)) ? spelled(form) : undefined;
}

/** Returns an approximate form in operators of WebGL: on scalars, with HardSigmoid as Mul, Add and Clip. */
function spelled({ bound: _, ...form }: Form): Form {
  const constants = { ...form.constants };
  const steps = form.steps.flatMap((step): readonly Step[] => {
    if (step.op !== 'HardSigmoid') return [step];
    const { alpha = 0.2, beta = 0.5 } = step.attributes ?? {};
    // The emitter knows Clip's bounds by these names.
    Object.assign(constants, { scale: alpha, shift: beta, floor: 0, cap: 1 });
    return [
      { op: 'Mul', inputs: [...step.inputs, 'scale'], output: 'scaled' },
      { op: 'Add', inputs: ['scaled', 'shift'], output: 'shifted' },
      { op: 'Clip', inputs: ['shifted', 'floor', 'cap'], output: step.output },
    ];
  });
  return { ...form, constants, steps };
}
