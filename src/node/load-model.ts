import { constants } from 'node:buffer';
import { withCopyBeside } from '../files/edited-copy.js';
import { type DataAccess, refuseExternal, withDataFiles } from '../files/external-data.js';
import { isStream, readAll } from '../files/read-stream.js';
import { withDocument } from '../files/with-document.js';
import type { OnnxDocument } from '../onnx/document.js';
import type { OpenData } from '../onnx/weights.js';
import { editableModel, type LoadedModel, modelFromBytes, modelInMemory } from '../providers/loaded-model.js';
import { isPath, type RunnableModel } from '../providers/provider.js';
import { fingerprint } from './fingerprint.js';

/** The options of a run that also apply while its models are loaded. */
export interface LoadOptions {
  readonly session?: DataAccess | undefined;
  /** Ends the wait for the writer of a pipe. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a model from a file, a pipe or bytes while `use` runs. Throws as `scan` does, `io`, also if the file changes
 * meanwhile, `external-data` if a pipe's model has external data, and `aborted`.
 */
export async function withModel<T>(
  model: RunnableModel,
  use: (model: LoadedModel) => Promise<T>,
  { session, signal }: LoadOptions = {},
): Promise<T> {
  if (!isPath(model)) return use(await modelFromBytes(model));
  if (await isStream(model)) return use(await modelFromStream(model, signal));
  return withDocument(model, (document) => withScannedModel(model, document, use, session));
}

/** Opens the data files of a scanned model file while `use` runs. Throws as `withDataFiles` does. */
export function withScannedModel<T>(
  path: string,
  document: OnnxDocument,
  use: (model: LoadedModel) => Promise<T>,
  access?: DataAccess,
): Promise<T> {
  return withDataFiles(
    path,
    document,
    (openData) => use(loadedModel(path, document, access, openData)),
    access,
  );
}

/** Reads a model from a pipe or a device. Throws as `readAll` and `scan` do, and `external-data`. */
async function modelFromStream(path: string, signal?: AbortSignal | undefined): Promise<LoadedModel> {
  const bytes = await readAll(path, { signal, maxBytes: constants.MAX_LENGTH });
  const model = await modelFromBytes(new Uint8Array(bytes), path);
  refuseExternal(model.document, 'Name a file: such a model cannot come through a pipe');
  return model;
}

/** Returns a model from its document; `file` is the model's path or bytes. */
export function loadedModel(
  file: RunnableModel,
  document: OnnxDocument,
  access?: DataAccess | undefined,
  openData?: OpenData | undefined,
): LoadedModel {
  if (!isPath(file)) return modelInMemory(file, document);
  return {
    ...editableModel(document, openData, withCopyBeside(file)),
    name: document.source.name,
    file,
    fingerprint: () => fingerprint(file, document, access),
  };
}
