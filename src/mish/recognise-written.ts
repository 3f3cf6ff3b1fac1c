import type { Analysis } from '../onnx/analysis.js';
import { attribute, type OnnxDocument } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { boundOf } from './bound.js';
import { constantTensor } from './constants.js';
import { constantValue, FLOOR, FORMS, type Form, type FormName, stepsOf, type Variant } from './forms.js';
import { findWritten, type WrittenActivation } from './written.js';

/** A Mish or mixture in a model. */
export interface Recognised
  extends Pick<WrittenActivation, 'scope' | 'node' | 'x' | 'type' | 'inner' | 'constants' | 'difference'>,
    Variant {
  /** The form of its nodes, or the most similar form. */
  readonly form: Form;
  /** The name of its form; `other` where the nodes match no form of onnx-mish. */
  readonly written: FormName | 'other';
  /** Input above which it gives NaN if its type is computed as such: w / (w + 2) of the exp form where w overflows; undefined where the Clip prevents that. */
  readonly overflowsAbove: number | undefined;
  /** The largest difference of an approximate form from the exact function. */
  readonly bound: number | undefined;
}

/** Does what `recognise` does, for documents that need the matcher. */
export function recogniseWritten(document: OnnxDocument, analysis: Analysis): Recognised[] {
  return findWritten(document, analysis).flatMap((written) => {
    if (written.name !== 'mish' || written.obstacle !== undefined) return [];
    const { scope, node, x, type, inner, constants, difference, beta = 1, alpha } = written;
    const form = written.form ? FORMS[written.form] : formOf(written, analysis.index);
    const bound = form && boundOf(form, { beta, leak: alpha });
    return {
      form: form ?? FORMS[type === 'f64' ? 'exp' : 'softplus'],
      written: form?.name ?? 'other',
      overflowsAbove: form === undefined ? overflowOf(written, analysis.index) : undefined,
      beta,
      ...(alpha === undefined ? {} : { leak: alpha }),
      scope,
      node,
      x,
      type,
      inner,
      constants,
      difference: bound ?? difference,
      bound,
    };
  });
}

/** Finds the form with these operators and, for the exp form, its upper bound. Exact forms come first. */
function formOf(written: WrittenActivation, index: GraphIndex): Form | undefined {
  const { type } = written;
  const bound = upperBound(written, index);
  return Object.values(FORMS).find((form) => {
    const { cap } = form.constants;
    if (cap !== undefined && !(type !== undefined && bound === constantValue(cap, type, 1))) return false;
    return hasOperatorsOf(form, written);
  });
}

/** Returns the x at which e^x (e^x + 2) overflows, if these are the operators of the exp form and the bound of x is higher. */
function overflowOf(written: WrittenActivation, index: GraphIndex): number | undefined {
  const bound = upperBound(written, index);
  if (bound === undefined || written.type === undefined || !hasOperatorsOf(FORMS.exp, written))
    return undefined;
  const greatest = -FLOOR[written.type];
  const above = Math.log(Math.sqrt(1 + greatest) - 1);
  return bound > above ? above : undefined;
}

/** Returns the upper bound of the Clip, if there is one. */
function upperBound({ scope, node, inner }: WrittenActivation, index: GraphIndex): number | undefined {
  const clip = [node, ...inner].find(({ opType }) => opType === 'Clip');
  return clip && (constantTensor(index, scope, clip.inputs[2] ?? '')?.scalar ?? attribute(clip, 'max')?.f);
}

function hasOperatorsOf(form: Form, { node, inner }: WrittenActivation): boolean {
  const operators = sorted([node, ...inner].map(({ opType, domain }) => domain + opType));
  // The nodes of a sharpness of 1 or a slope of 0 may be present.
  return [0, 1, 2, 3].some((variant) => {
    const steps = stepsOf(form, variant % 2 > 0, variant > 1);
    return sorted(steps.map(({ op }) => op)) === operators;
  });
}

const sorted = (names: readonly string[]) => names.toSorted().join();
