// What stands for node/document.ts and node/beside.ts in a page, where every model is bytes: its build puts it in their place.

import { OnnxMishError } from '../../../base/error.js';
import type * as Documents from '../../../node/document.js';
import type * as Beside from '../../../node/edited-copy.js';
import { scan } from '../../../onnx/scan.js';

export const withDocument: typeof Documents.withDocument = async (model, use) => {
  if (typeof model !== 'string') return use(await scan(model));
  throw new OnnxMishError('io', 'a page has no files', { where: model });
};

export const withChanged: typeof Beside.withChanged = async (_source, changed, _external, use) =>
  use(await changed.bytes());
