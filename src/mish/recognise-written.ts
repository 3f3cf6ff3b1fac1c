import type { Analysis } from '../onnx/analysis.js';
import { attribute, type OnnxDocument } from '../onnx/document.js';
import type { GraphIndex } from '../onnx/graph-index.js';
import { constantTensor } from './constants.js';
import { constantValue, FORMS, type Form, type FormName, stepsOf, type Variant } from './forms.js';
import { findWritten, type Written } from './written.js';

/** Mish found in a model, or a mixture. */
export interface Recognised
  extends Pick<Written, 'scope' | 'node' | 'x' | 'type' | 'inner' | 'constants' | 'difference'>,
    Variant {
  /** The form it is written in, or the one that is nearest. */
  readonly form: Form;
  /** The name of its form; `other` where it is none of ours. */
  readonly written: FormName | 'other';
}

/** Finds Mish as `recognise` does. */
export function recogniseWritten(document: OnnxDocument, analysis: Analysis): Recognised[] {
  return findWritten(document, analysis).flatMap((written) => {
    if (written.name !== 'mish') return [];
    const { scope, node, x, type, inner, constants, difference, beta = 1, alpha } = written;
    const form = formOf(written, analysis.index);
    return {
      ...{ form: form ?? FORMS[type === 'f64' ? 'exp' : 'softplus'], written: form?.name ?? 'other' },
      ...{ beta, ...(alpha === undefined ? {} : { leak: alpha }) },
      ...{ scope, node, x, type, inner, constants, difference },
    };
  });
}

/** The form that has these operators, with the bound that keeps exp from overflowing. */
function formOf({ scope, node, inner, type }: Written, index: GraphIndex): Form | undefined {
  const nodes = [node, ...inner];
  const operators = sorted(nodes.map(({ opType, domain }) => domain + opType));
  const clip = nodes.find(({ opType }) => opType === 'Clip');
  const bound =
    clip && (constantTensor(index, scope, clip.inputs[2] ?? '')?.scalar ?? attribute(clip, 'max')?.f);
  return Object.values(FORMS).find((form) => {
    const { cap } = form.constants;
    if (cap !== undefined && !(type !== undefined && bound === constantValue(cap, type, 1))) return false;
    // A sharpness of 1 or a slope of 0 may be written out.
    return [0, 1, 2, 3].some((variant) => {
      const steps = stepsOf(form, variant % 2 > 0, variant > 1);
      return sorted(steps.map(({ op }) => op)) === operators;
    });
  });
}

const sorted = (names: readonly string[]) => names.toSorted().join();
