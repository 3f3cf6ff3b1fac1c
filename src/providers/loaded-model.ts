import { sha256 } from '../base/sha256.js';
import type { OnnxDocument } from '../onnx/document.js';
import { scan } from '../onnx/scan.js';
import { toSource } from '../onnx/source.js';
import type { Spliced } from '../onnx/splice.js';
import type { OpenData } from '../onnx/weights.js';
import type { RunnableModel } from './provider.js';

/** A model's structure, with which changed copies of the model can be run. */
export interface EditableModel {
  readonly document: OnnxDocument;
  /** Opens the files of external data; undefined where there are none. */
  readonly openData: OpenData | undefined;
  /** Has a changed copy for a while. Throws `io`. */
  withEdited<T>(edited: Spliced, use: (copy: RunnableModel) => Promise<T>): Promise<T>;
  /** Reads a changed copy, which stays in memory. Its external data is the original's. Throws as `scan` does. */
  edited(edited: Spliced): Promise<EditableModel>;
}

/** A model that is open, with its structure. */
export interface LoadedModel extends EditableModel {
  /** What messages call the model. */
  readonly name: string;
  /** What a provider opens. */
  readonly file: RunnableModel;
  /** SHA-256 of the model and of each file of external data, in hexadecimal. Throws `io`, `external-data`. */
  fingerprint(): Promise<readonly string[]>;
}

/** Writes a changed model where its external data is found, and gives the path while it is used. */
export type WithCopy = <T>(edited: Spliced, use: (path: string) => Promise<T>) => Promise<T>;

/** A model by its structure. Without `withCopy`, changed copies are bytes; with it, only those without external data are. */
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
      return editableModel(await scan(source), openData, withCopy);
    },
  };
}

/** Reads a model from its bytes. Throws as `scan` does. */
export async function modelFromBytes(bytes: Uint8Array, name = 'model'): Promise<LoadedModel> {
  const document = await scan(toSource(bytes, name));
  return {
    ...editableModel(document),
    name,
    file: bytes,
    fingerprint: async () => [await sha256(bytes)],
  };
}
