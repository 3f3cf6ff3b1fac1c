import { type Analysis, analyse } from '../onnx/analysis.js';
import type { OnnxDocument } from '../onnx/document.js';
import { loadMatcher } from './load-matcher.js';
import type { QuantizedMish } from './quantized-mish.js';
import type { Recognised } from './recognise-written.js';

export type { Recognised };

/** Finds every Mish and mixture, in any notation and with any sharpness, in all graphs and functions. */
export async function recognise(
  document: OnnxDocument,
  analysis: Analysis = analyse(document),
): Promise<readonly Recognised[]> {
  const matcher = await loadMatcher(document);
  return matcher === undefined ? [] : matcher.recogniseWritten(document, analysis);
}

/** Finds every Mish that operators on integers compute; `swap` writes them with `int8: 'qlinear'`. */
export async function recogniseOnIntegers(
  document: OnnxDocument,
  analysis: Analysis,
): Promise<readonly QuantizedMish[]> {
  const mayHave = document.scopes.some(({ nodes }) =>
    nodes.some(({ opType }) => opType === 'QLinearSigmoid'),
  );
  if (!mayHave) return [];
  return (await import('./quantized-mish.js')).findQuantizedMish(document, analysis);
}
