import { withDocument } from '../files/with-document.js';
import type { OnnxDocument } from '../onnx/document.js';
import { scan } from '../onnx/scan.js';
import { isPath, type RunnableModel } from './provider.js';

/** Reads a model's document and calls `use` with it. Throws as `scan` does, and `io`, also if the file changes meanwhile. */
export async function withDocumentOf<T>(
  model: RunnableModel,
  use: (document: OnnxDocument) => Promise<T> | T,
): Promise<T> {
  return isPath(model) ? withDocument(model, use) : use(await scan(model));
}
