import { sha256 } from '../base/sha256.js';
import type { OnnxDocument } from '../onnx/document.js';
import { readOutsideNumbers } from '../onnx/outside-numbers.js';
import { scan } from '../onnx/scan.js';
import { toSource } from '../onnx/source.js';
import type { Spliced } from '../onnx/splice.js';
import type { OpenData } from '../onnx/weights.js';
import type { RunnableModel } from './provider.js';

/** Structure of a model, with which edited copies of the model can be run. */
export interface EditableModel {
  readonly document: OnnxDocument;
  /** Opens the files of external data; undefined for a model without such files. */
  readonly openData: OpenData | undefined;
  /** Calls `use` with an edited copy, which exists until `use` ends. Throws `io`. */
  withEdited<T>(edited: Spliced, use: (copy: RunnableModel) => Promise<T>): Promise<T>;
  /** Reads an edited copy, which stays in memory and shares the original's external data. Throws as `scan` does. */
  edited(edited: Spliced): Promise<EditableModel>;
}

/** Open model with its structure. */
export interface LoadedModel extends EditableModel {
  /** Name of the model in messages. */
  readonly name: string;
  /** Path or bytes that a provider opens. */
  readonly file: RunnableModel;
  /** Calculates the SHA-256 of the model and of each file of external data, in hexadecimal. Throws `io`, `external-data`. */
  fingerprint(): Promise<readonly string[]>;
}

/** Function that writes an edited model into the folder of its external data, and passes the path to `use`. */
export type WithCopy = <T>(edited: Spliced, use: (path: string) => Promise<T>) => Promise<T>;

/** Returns a model from its structure. `withCopy` writes edited copies with external data; without it, all copies are bytes. */
export function editableModel(
  document: OnnxDocument,
  openData?: OpenData | undefined,
  withCopy?: WithCopy | undefined,
): EditableModel {
  return {
    document,
    openData,
    async withEdited(edited, use) {
      if (withCopy === undefined || document.external.length === 0) return use(await edited.bytes());
      return withCopy(edited, use);
    },
    async edited(edited) {
      const source = toSource(await edited.bytes(), document.source.name);
      const again = await scan(source);
      if (openData) await readOutsideNumbers(again, openData);
      return editableModel(again, openData, withCopy);
    },
  };
}

/**
 * Reads a model from its bytes. External data is not read. Throws as `scan` does.
 *
 * @example
 * import { modelFromBytes } from 'onnx-mish/train';
 *
 * const { document } = await modelFromBytes(bytes);
 */
export async function modelFromBytes(bytes: Uint8Array, name = 'model'): Promise<LoadedModel> {
  return modelInMemory(bytes, await scan(toSource(bytes, name)));
}

/** Returns a model in memory from its bytes and their document. */
export function modelInMemory(file: Uint8Array, document: OnnxDocument): LoadedModel {
  const { name } = document.source;
  return { ...editableModel(document), name, file, fingerprint: async () => [await sha256(file)] };
}
