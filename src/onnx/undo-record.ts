import { OnnxMishError } from '../base/error.js';
import { fnv1a } from './checksum.js';
import { DIGEST_LENGTH } from './digest.js';
import { binaryText } from './encode.js';
import { createReader } from './reader.js';
import type { Spliced } from './splice.js';

/** Facts about the original file in an undo record. */
export interface Original {
  readonly size: number;
  /** `structure` of the original document. */
  readonly structure: string;
  /** Digest of the original; undefined if it was not computed. */
  readonly digest: string | undefined;
}

/** Placeholder for an absent digest. */
export const NO_DIGEST = '-'.repeat(DIGEST_LENGTH);
/** Text after the digest in a record. */
const AFTER_DIGEST = '"}}';
/** Distance in characters from the start of the digest to the end of the record. */
export const DIGEST_FROM_END = DIGEST_LENGTH + AFTER_DIGEST.length;

/**
 * The undo record, which turns a written file back into its source. It is JSON in a metadata entry.
 * `edits` are in file order: bytes kept since the last edit, bytes to drop, base64 of the original bytes.
 * The bytes after `size` were appended, including the record.
 */
export interface Patch {
  readonly v: 1;
  /** Length in bytes of the written file, without appended bytes. */
  readonly size: number;
  /** FNV-1a of all bytes to drop, to detect later changes of the file. */
  readonly check: number;
  readonly edits: readonly (readonly [kept: number, drop: number, restore: string])[];
  /** Absent in records of older versions. This field and its digest come last, so that the digest can be filled in. */
  readonly original?: Omit<Original, 'digest'> & { readonly digest: string };
}

export const NOTHING: Uint8Array = new Uint8Array(0);
/** Maximum length of a record in characters: a V8 string holds 2^29, other engines allow more. */
const MAX_RECORD_LENGTH = 5e8;
/** Maximum length of an edit in characters, without the bytes to restore. */
const MAX_EDIT_LENGTH = 50;

/**
 * Writes the record that undoes a splice, with space for the source's digest. Call this function before anything is appended
 * to the file. Throws `bad-usage` for a record that is too long.
 */
export async function inversePatch(spliced: Spliced, structure: string): Promise<string> {
  const { source, replacements } = spliced;
  const length = replacements.reduce(
    (sum, { start, end }) => sum + (4 / 3) * (end - start) + MAX_EDIT_LENGTH,
    0,
  );
  if (length > MAX_RECORD_LENGTH) {
    throw new OnnxMishError('bad-usage', 'the undo record would be larger than 500 MB', {
      where: source.name,
      fix: 'Leave it out, and keep the original file',
      option: { undo: false },
    });
  }
  const reader = createReader(source); // reads many small replacements per window
  let check = fnv1a(NOTHING);
  let at = 0;
  const edits: [number, number, string][] = [];
  for (const { start, end, bytes } of replacements) {
    const old = reader.bytes(start, end);
    check = fnv1a(bytes, check);
    edits.push([start - at, bytes.length, encode(old instanceof Promise ? await old : old)]);
    at = end;
  }
  const original = { size: source.size, structure, digest: NO_DIGEST };
  return JSON.stringify({ v: 1, size: spliced.size, check, edits, original } satisfies Patch);
}

/** Bytes that become text at once: a number of whole groups of three. */
const CHUNK = 3 * 2 ** 13;

function encode(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += CHUNK) text += btoa(binaryText(bytes.subarray(at, at + CHUNK)));
  return text;
}
