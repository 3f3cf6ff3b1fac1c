import { type Analysis, analyse } from '../onnx/analysis.js';
import type { OnnxDocument } from '../onnx/document.js';
import { loadMatcher } from './load-matcher.js';
import type { Recognised } from './recognise-written.js';

export type { Recognised };

/** Finds Mish however it is written, with or without a sharpness, by itself and in mixtures, in every graph and function. */
export async function recognise(
  document: OnnxDocument,
  analysis: Analysis = analyse(document),
): Promise<readonly Recognised[]> {
  const matcher = await loadMatcher(document);
  return matcher === undefined ? [] : matcher.recogniseWritten(document, analysis);
}
