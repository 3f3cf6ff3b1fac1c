import type { OnnxDocument } from '../onnx/document.js';
import { inlineData } from '../onnx/inline-data.js';
import { scan } from '../onnx/scan.js';
import type { OpenData } from '../onnx/weights.js';
import { WEB, type WebProvider } from './web-providers.js';

/**
 * Returns a document with its external data inside, if the provider reads no data files; otherwise the same document. Throws
 * `external-data` as `inlineData` does.
 */
export async function withDataInside(
  document: OnnxDocument,
  provider: WebProvider,
  openData: OpenData,
): Promise<OnnxDocument> {
  if (WEB[provider].takesExternalData || document.external.length === 0) return document;
  return scan(await (await inlineData(document, openData)).bytes());
}
