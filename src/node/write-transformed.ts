import { dirname, parse, resolve } from 'node:path';
import { type DataAccess, dataFiles, plannedCopies } from '../files/external-data.js';
import { openModel } from '../files/model-file.js';
import { refuseInput } from '../files/same-file.js';
import { scanFile } from '../files/scan-file.js';
import { type Copied, missingCopies, removeCopied, type SharedData } from '../files/shared-data.js';
import { checkedBy, watchFiles } from '../files/unchanged.js';
import { checkTarget, isDevice } from '../files/write-atomically.js';
import type { WriteOptions } from '../files/write-model.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { ExternalDataChoice } from '../onnx/external-data-choices.js';
import type { Spliced } from '../onnx/splice.js';
import type { OpenData } from '../onnx/weights.js';
import { withMovedData } from './move-data.js';
import { type DataContent, writeWithData } from './write-with-data.js';

export interface FileOptions extends WriteOptions, DataAccess {
  /** Path of the output; default: in the input's folder, as `outputName` names it. */
  readonly output?: string | undefined;
  /** State that all models of a call share, so that common data files are copied once. */
  readonly shared?: SharedData | undefined;
}

/** Options of functions that can move the weights of a model. */
export interface MoveOptions extends FileOptions {
  /**
   * Where the weights of the output are: `keep` leaves them where they are and copies data files into another folder,
   * `inline` moves them into the model, `file` moves them into `<output>.data`. Undo restores the model as it was after
   * the move. Default: keep.
   */
  readonly externalData?: ExternalDataChoice | undefined;
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
  readonly data?: DataContent | undefined;
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
  const { base, name, ext } = parse(input);
  const folder = input.slice(0, input.lastIndexOf(base));
  return `${folder}${name}.${tag}${ext || '.onnx'}`;
}

/**
 * Moves the weights of a model as chosen, and writes the model that `work` returns, and its data files if the folder differs. The
 * path is `output`, else the default for the tag. Throws as `work` does, `io` and `external-data`.
 */
export async function transformFile<Report>(
  input: string,
  options: MoveOptions,
  tag: string,
  work: (document: OnnxDocument, openData: OpenData) => Promise<Transformed<Report>>,
): Promise<Written<Report>> {
  const path = options.output ?? outputName(input, tag);
  const force = options.force ?? false;
  await refuseInput(input, path, force);
  await checkTarget(path, force);
  const file = await openModel(input);
  const copied: Copied = { files: [], folders: [] };
  try {
    const document = await checkedBy(file.checkUnchanged, () => scanFile(input, file, options));
    const folder = dirname(resolve(input));
    const data = await dataFiles(document, folder, options);
    const checkData = await watchFiles(data.map((one) => one.path));
    const checkAll = async () => {
      await file.checkUnchanged();
      await checkData();
    };
    const choice = options.externalData ?? 'keep';
    return await withMovedData(input, document, choice, path, options, checkAll, async (moved) => {
      const planned =
        moved.keepsFiles && !(await isDevice(path)) ? await plannedCopies(document, data, folder, path) : [];
      const copies = options.shared === undefined && !force ? await missingCopies(planned, options) : planned;
      const { report, ...transformed } = await checkedBy(checkAll, () =>
        work(moved.document, moved.openData),
      );
      const added = [moved.data, transformed.data].flatMap((one) => one ?? []);
      const files = { output: transformed.output, copies, added, copied };
      // Windows replaces no file that is open: the output may be the input.
      const checkAndClose = () => checkAll().then(file.close);
      return { ...(await writeWithData(path, files, options, checkAndClose)), report };
    });
  } catch (error) {
    // With force the copies may have replaced older files, so they stay.
    if (!force && options.shared !== undefined) await removeCopied(copied, options.shared);
    throw error;
  } finally {
    await file.close();
  }
}
