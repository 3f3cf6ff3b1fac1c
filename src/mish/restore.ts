import { applyPatch } from '../onnx/apply-patch.js';
import type { OnnxDocument } from '../onnx/document.js';
import { STRUCTURE_VERSION, scan } from '../onnx/scan.js';
import { changedSince, sealOf } from '../onnx/seal.js';
import type { ByteSource } from '../onnx/source.js';
import type { Spliced } from '../onnx/splice.js';
import { viewOf } from '../onnx/view.js';

/** What undo gives. */
export interface Undone extends Spliced {
  /**
   * What the original was compared with: the digest of the whole `file`, which what writes it or calls `bytes` does, unless the
   * source is a Blob or in memory; the checksum of its `structure`, which is all but the data of weights and texts that no
   * runtime reads; or only the `edits`, the bytes that the swap put there.
   */
  readonly proof: 'file' | 'structure' | 'edits';
  /** What could not be compared. */
  readonly notes: readonly string[];
}

const NO_WEIGHTS =
  'the record and what was read prove the structure, but not the data of the weights: they were not compared';
const OLD_RECORD =
  'the record is of another version, and proves only the bytes that were replaced: the rest was not compared';

/** Applies a record, and compares the result with what the record tells of the original. */
export async function restore(source: ByteSource, record: string, document?: OnnxDocument): Promise<Undone> {
  const { output, original } = await applyPatch(source, record);
  const { digest, structure = '' } = original ?? {};
  const isWhole =
    digest !== undefined && source.blob === undefined && globalThis.crypto?.subtle !== undefined;
  // What is in memory is compared at once, the rest while it is written.
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
