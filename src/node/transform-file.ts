import { dirname, join, parse, resolve } from 'node:path';
import {
  copyDataFiles,
  type DataAccess,
  dataFiles,
  plannedCopies,
  withDataFiles,
} from '../files/external-data.js';
import { openModel } from '../files/model-file.js';
import { refuseInput } from '../files/same-file.js';
import { type Copied, copyShared, removeCopied, type SharedData } from '../files/shared-data.js';
import { checkedBy, watchFiles } from '../files/unchanged.js';
import { checkTarget, isDevice, writeTogether } from '../files/write-atomically.js';
import { fillWithBytes, fillWithModel, type WriteOptions } from '../files/write-model.js';
import { type UndoReport, undoDocument, undoReport } from '../mish/history.js';
import type { SwapReport } from '../mish/results.js';
import { type RetargetOptions, type RetargetReport, retargetDocument } from '../mish/retarget-document.js';
import { activationTag, type SwapOptions, swapDocument } from '../mish/swap.js';
import type { OnnxDocument } from '../onnx/document.js';
import { scan } from '../onnx/scan.js';
import type { Spliced } from '../onnx/splice.js';

export interface FileOptions extends WriteOptions, DataAccess {
  /** Path of the output; default: in the input's folder, as `outputName` names it. */
  readonly output?: string | undefined;
  /** State that all models of a call share, so that common data files are copied once. */
  readonly shared?: SharedData | undefined;
}

/** Written model with its report. */
export interface Written<Report> {
  readonly output: string;
  /** Data files that were copied to the output's folder. */
  readonly copied: readonly string[];
  /** New data file of the output; absent without one. */
  readonly data?: string | undefined;
  readonly report: Report;
}

/** Model to write, with a new data file if it has one. */
export interface Transformed<Report> {
  readonly output: Spliced;
  readonly data?: { readonly location: string; readonly bytes: Uint8Array } | undefined;
  readonly report: Report;
}

/**
 * Returns the default path of an output: `models/net.onnx` becomes `models/net.mish.onnx` for the tag `mish`.
 *
 * @example
 * import { outputName } from 'onnx-mish/node';
 *
 * outputName('models/net.onnx', 'mish'); // models/net.mish.onnx
 */
export function outputName(input: string, tag: string): string {
  const { dir, name, ext } = parse(input);
  const folder = dir === '' || dir.endsWith('/') ? dir : `${dir}/`;
  return `${folder}${name}.${tag}${ext || '.onnx'}`;
}

/**
 * Swaps the activations of a file and writes a file, by default `<model>.mish.onnx` or, with `to`, `<model>.<to>.onnx`. Throws as `swap` does, `io` and `external-data`.
 *
 * @example
 * import { swapFile } from 'onnx-mish/node';
 *
 * const { output, report } = await swapFile('model.onnx', { target: 'cpu' });
 * console.log(output, report.sites.length);
 */
export function swapFile(
  input: string,
  options: SwapOptions & FileOptions = {},
): Promise<Written<SwapReport>> {
  return transformFile(input, options, activationTag(options), (document) =>
    options.fold
      ? withDataFiles(
          input,
          document,
          (openData) => swapDocument(document, { openData, ...options }),
          options,
        )
      : swapDocument(document, options),
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
  options: RetargetOptions & FileOptions,
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

/**
 * Writes the model that `work` returns, and its data files if the folder differs. The path is `output`, else the
 * default for the tag. Throws as `work` does, `io` and `external-data`.
 */
export async function transformFile<Report>(
  input: string,
  options: FileOptions,
  tag: string,
  work: (document: OnnxDocument) => Promise<Transformed<Report>>,
): Promise<Written<Report>> {
  const path = options.output ?? outputName(input, tag);
  const force = options.force ?? false;
  await refuseInput(input, path, force);
  await checkTarget(path, force);
  const file = await openModel(input);
  const copied: Copied = { files: [], folders: [] };
  try {
    const document = await checkedBy(file.checkUnchanged, () => scan(file));
    const folder = dirname(resolve(input));
    const data = await dataFiles(document, folder, options);
    const checkData = await watchFiles(data.map((one) => one.path));
    const copies = (await isDevice(path)) ? [] : await plannedCopies(document, data, folder, path);
    const checkAll = async () => {
      await file.checkUnchanged();
      await checkData();
    };
    const { output, data: ownData, report } = await checkedBy(checkAll, () => work(document));
    const dataPath = ownData && join(dirname(path), ownData.location);
    const dataBytes = copies.reduce((sum, { bytes }) => sum + bytes, 0);
    const tell = (done: number) => options.onProgress?.(done, dataBytes + output.size);
    let done = 0;
    const copyOptions = {
      signal: options.signal,
      onCopied: (bytes: number) => {
        done += bytes;
        tell(done);
      },
    };
    const { shared, signal } = options;
    if (shared !== undefined) await copyShared(copies, copied, shared, { ...copyOptions, force });
    await writeTogether(force, async (batch) => {
      if (shared === undefined) await copyDataFiles(copies, batch, copyOptions);
      if (ownData !== undefined && dataPath !== undefined)
        await batch.write(dataPath, fillWithBytes(ownData.bytes, dataPath));
      const onProgress = (written: number) => tell(dataBytes + written);
      await batch.write(path, (handle) => fillWithModel(output, handle, path, { signal, onProgress }));
      await checkAll();
      await options.verify?.();
    });
    const more = dataPath === undefined ? {} : { data: dataPath };
    return { output: path, copied: copies.map(({ to }) => to), ...more, report };
  } catch (error) {
    // With force the copies may have replaced older files, so they stay.
    if (!force && options.shared !== undefined) await removeCopied(copied, options.shared);
    throw error;
  } finally {
    await file.close();
  }
}
