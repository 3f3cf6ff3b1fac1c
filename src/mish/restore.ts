import { applyPatch } from '../onnx/apply-patch.js';
import type { OnnxDocument } from '../onnx/document.js';
import { STRUCTURE_VERSION, scan } from '../onnx/scan.js';
import { changedSince, sealOf } from '../onnx/seal.js';
import type { ByteSource } from '../onnx/source.js';
import type { Spliced } from '../onnx/splice.js';
import { viewOf } from '../onnx/view.js';

/** Result of `undo`. */
export interface Undone extends Spliced {
  /**
   * The part that is compared with the original. `file`: the digest of the whole file. `undo` compares the digest of a model in
   * memory; otherwise `bytes` or the writer does. `structure`: a checksum of everything except weight data and texts
   * that no runtime reads. `edits`: only the replaced bytes.
   */
  readonly proof: 'file' | 'structure' | 'edits';
  /** Descriptions of the parts that could not be compared. */
  readonly notes: readonly string[];
}

const NO_WEIGHTS = 'the record proves the structure, but the data of the weights was not compared';
const OLD_RECORD =
  'the record has another version and proves only the replaced bytes; the rest was not compared';

/** Applies a record and compares the result with the record's facts about the original. */
export async function restore(source: ByteSource, record: string, document?: OnnxDocument): Promise<Undone> {
  const { output, original } = await applyPatch(source, record);
  const { digest, structure = '' } = original ?? {};
  const isWhole =
    digest !== undefined && source.blob === undefined && globalThis.crypto?.subtle !== undefined;
  // A file in memory is compared at once, other files during writing.
  const inMemory = isWhole && source.bytes !== undefined;
  if (inMemory) await sealOf(output);
  const comparable = structure.startsWith(`${STRUCTURE_VERSION}:`);
  let { external } = document ?? {};
  if (external === undefined || (!isWhole && comparable)) {
    const before = await scan(viewOf(output)).catch(() => undefined);
    if (before === undefined || (comparable && before.structure !== structure))
      throw changedSince(source.name);
    external = before.external;
  }
  const proof = isWhole ? 'file' : comparable ? 'structure' : 'edits';
  const notes = proof === 'file' ? [] : [proof === 'structure' ? NO_WEIGHTS : OLD_RECORD];
  if (external.length > 0) notes.push('the record does not cover external data, which was not compared');
  return { ...output, ...(inMemory ? { digest: undefined } : {}), proof, notes };
}
