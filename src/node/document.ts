import { openModel } from '../files/model-file.js';
import { checkedBy } from '../files/unchanged.js';
import type { OnnxDocument } from '../onnx/document.js';
import { scan } from '../onnx/scan.js';

/** The document of a model, by its path or from its bytes, for as long as it is used. Throws as `scan` does, and `io`, also when the file has changed meanwhile. */
export async function withDocument<T>(
  model: string | Uint8Array,
  use: (document: OnnxDocument) => Promise<T> | T,
): Promise<T> {
  if (typeof model !== 'string') return use(await scan(model));
  const file = await openModel(model);
  try {
    return await checkedBy(file.checkUnchanged, async () => use(await scan(file)));
  } finally {
    await file.close();
  }
}
