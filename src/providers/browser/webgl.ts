import { FORM_FOR } from '../../mish/forms.js';
import { retargetDocument } from '../../mish/retarget.js';
import { openModel } from '../../node/model-file.js';
import { scan } from '../../onnx/scan.js';
import type { Shapes } from '../types.js';

export async function checkForWebgl(_model: string | Uint8Array): Promise<void> {}

export async function prepareForWebgl(
  model: string | Uint8Array,
  _shapes: Shapes | undefined,
): Promise<{ model: Uint8Array; retargeted?: string; notes: string[] }> {
  const file = typeof model === 'string' ? await openModel(model) : undefined;
  try {
    const document = await scan(file ?? (model as Uint8Array));
    const { output, report } = await retargetDocument(document, { form: FORM_FOR.webgl, undo: false });
    const bytes = await output.bytes();
    return { model: bytes, ...(report.sites.length > 0 ? { retargeted: report.form } : {}), notes: [] };
  } finally {
    await file?.close();
  }
}
