import { type UndoReport, undoDocument, undoReport } from '../mish/history.js';
import type { SwapReport } from '../mish/results.js';
import { type RetargetOptions, type RetargetReport, retargetDocument } from '../mish/retarget-document.js';
import { activationTag, type SwapOptions, swapDocument } from '../mish/swap.js';
import { type FileOptions, type MoveOptions, transformFile, type Written } from './write-transformed.js';

export type { FileOptions, MoveOptions, Transformed, Written } from './write-transformed.js';
export { outputName, transformFile } from './write-transformed.js';

/**
 * Swaps the activations of a file and writes a file, by default `<model>.mish.onnx` or, with `to`, `<model>.<to>.onnx`. Throws as
 * `swap` does, `io` and `external-data`.
 *
 * @example
 * import { swapFile } from 'onnx-mish/node';
 *
 * const { output, report } = await swapFile('model.onnx', { target: 'cpu' });
 * console.log(output, report.sites.length);
 */
export function swapFile(
  input: string,
  options: SwapOptions & MoveOptions = {},
): Promise<Written<SwapReport>> {
  return transformFile(input, options, activationTag(options), (document, openData) =>
    swapDocument(document, { openData, ...options }),
  );
}

/**
 * Rewrites the Mish of a file in another form and writes a file. Throws as `retarget` does, `io` and `external-data`.
 *
 * @example
 * import { retargetFile } from 'onnx-mish/node';
 *
 * await retargetFile('yolo.onnx', { target: 'webgl', output: 'yolo.webgl.onnx' });
 */
export function retargetFile(
  input: string,
  options: RetargetOptions & MoveOptions,
): Promise<Written<RetargetReport>> {
  return transformFile(input, options, options.target ?? options.form ?? 'softplus', (document) =>
    retargetDocument(document, options),
  );
}

/**
 * Restores the original of a file and writes a file. Throws as `undo` does, `io` and `external-data`.
 *
 * @example
 * import { undoFile } from 'onnx-mish/node';
 *
 * await undoFile('model.mish.onnx', { output: 'model.onnx' });
 */
export function undoFile(input: string, options: FileOptions = {}): Promise<Written<UndoReport>> {
  return transformFile(input, options, 'undone', async (document) => {
    const output = await undoDocument(document);
    return { output, report: undoReport(output) };
  });
}
