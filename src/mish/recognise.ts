import { type Analysis, analyse } from '../onnx/analysis.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { Form, FormName, Variant } from './forms.js';
import { loadMatcher } from './load-matcher.js';
import type { Written } from './written.js';

/** Mish found in a model, or a mixture. */
export interface Recognised
  extends Pick<Written, 'scope' | 'node' | 'x' | 'type' | 'inner' | 'constants' | 'difference'>,
    Variant {
  /** The form it is written in, or the one that is nearest. */
  readonly form: Form;
  /** The name of its form; `other` where it is none of ours. */
  readonly written: FormName | 'other';
}

/** Finds Mish however it is written, with or without a sharpness, by itself and in mixtures, in every graph and function. */
export async function recognise(
  document: OnnxDocument,
  analysis: Analysis = analyse(document),
): Promise<readonly Recognised[]> {
  const matcher = await loadMatcher(document);
  return matcher === undefined ? [] : matcher.recogniseWritten(document, analysis);
}
