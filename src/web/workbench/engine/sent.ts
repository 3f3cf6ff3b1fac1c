// Models that are sent to a worker.

import { OnnxMishError } from '../../../base/error.js';
import { sha256 } from '../../../base/sha256.js';
import { inspectDocument } from '../../../mish/inspect-document.js';
import { type OpenData, readOutsideNumbers } from '../../../onnx/outside-numbers.js';
import { scan } from '../../../onnx/scan.js';
import { toSource } from '../../../onnx/source.js';
import { editableModel, type LoadedModel, modelInMemory } from '../../../providers/loaded-model.js';
import { modelInfo } from '../../../validate/model-info.js';
import type { InspectedModel } from '../../../validate/options.js';
import type { External } from '../../harness/ort-provider.js';

/** A model that is sent to a worker. */
export interface Sent {
  readonly name: string;
  readonly blob: Blob;
}

/** External data files, by location. */
export type SentFiles = readonly (readonly [location: string, blob: Blob])[];

/** Returns the URL of ONNX Runtime’s files, beside the folder of the workers. */
export const ortBase = () => new URL('../ort/', self.location.href).href;

export const bytesOf = async (blob: Blob) => new Uint8Array(await blob.arrayBuffer());

/** Returns external data files in the type of a provider. */
export function externalOf(files: SentFiles): Promise<External[]> {
  return Promise.all(files.map(async ([path, blob]) => ({ path, data: await bytesOf(blob) })));
}

/** Returns a function that opens external data files of the model `name`; it throws `external-data` for a file that was not given. */
export function openFromBlobs(files: ReadonlyMap<string, Blob>, name: string): OpenData {
  return async (location) => {
    const file = files.get(location);
    if (file !== undefined) return toSource(file, location);
    throw new OnnxMishError('external-data', `the file '${location}' was not given`, { where: name });
  };
}

/** Reads a model whose weights may be in external data files. Throws as `scan` does. */
export async function loadModel({ name, blob }: Sent, files: SentFiles): Promise<LoadedModel> {
  const bytes = await bytesOf(blob);
  const document = await scan(toSource(bytes, name));
  if (files.length === 0) return modelInMemory(bytes, document);
  const openData = openFromBlobs(new Map(files), name);
  await readOutsideNumbers(document, openData);
  const fingerprint = async () => {
    const digests = [await sha256(bytes)];
    for (const [, file] of files) digests.push(await sha256(await bytesOf(file)));
    return digests;
  };
  return { ...editableModel(document, openData), name, file: bytes, fingerprint };
}

/** Reads a model for a validation. Throws as `loadModel` does. */
export async function inspected(sent: Sent, files: SentFiles): Promise<InspectedModel> {
  const model = await loadModel(sent, files);
  const digest = await sha256(await bytesOf(sent.blob));
  return { model, info: modelInfo(sent.name, await inspectDocument(model.document), digest) };
}
