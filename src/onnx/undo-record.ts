import { OnnxMishError } from '../base/error.js';
import { fnv1a } from './checksum.js';
import { DIGEST_LENGTH } from './digest.js';
import { binaryText } from './encode.js';
import { createReader } from './reader.js';
import type { Spliced } from './splice.js';

/** What a record tells of the source as a whole. */
export interface Original {
  readonly size: number;
  /** `structure` of its document. */
  readonly structure: string;
  /** Its digest; undefined where it was not calculated. */
  readonly digest: string | undefined;
}

/** Stands for a digest that is not there, or not yet. */
export const NO_DIGEST = '-'.repeat(DIGEST_LENGTH);
/** What follows the digest in a record. */
const AFTER_DIGEST = '"}}';
/** How far before the end of a record its digest begins. */
export const DIGEST_FROM_END = DIGEST_LENGTH + AFTER_DIGEST.length;

/**
 * What turns a written file back into its source, as JSON that fits in a metadata entry.
 * `edits` are in file order: bytes kept since the last edit, bytes to drop, base64 of the bytes that stood there.
 * What follows the first `size` bytes of the file was appended, the record itself among it.
 */
export interface Patch {
  readonly v: 1;
  /** Length of the written file without what was appended. */
  readonly size: number;
  /** FNV-1a of all the bytes to drop, to notice a file that has been changed since. */
  readonly check: number;
  readonly edits: readonly (readonly [kept: number, drop: number, restore: string])[];
  /** Absent from what older versions wrote. It comes last, and its digest as well, so that it can be filled in. */
  readonly original?: Omit<Original, 'digest'> & { readonly digest: string };
}

export const NOTHING = new Uint8Array(0);
/** Characters of a record: of a string V8 holds 2^29, other engines more. */
const LONGEST_RECORD = 5e8;
/** Of an edit without what is to be restored. */
const LONGEST_EDIT = 50;

/**
 * The record that undoes a splice of a source with that structure, with room for the source's digest. Call it before anything
 * is appended to the end of the file. Throws `bad-usage` where it would be too long.
 */
export async function inversePatch(spliced: Spliced, structure: string): Promise<string> {
  const { source, replacements } = spliced;
  const length = replacements.reduce(
    (sum, { start, end }) => sum + (4 / 3) * (end - start) + LONGEST_EDIT,
    0,
  );
  if (length > LONGEST_RECORD) {
    throw new OnnxMishError('bad-usage', 'what undo needs is too much to be kept in the model', {
      where: source.name,
      fix: 'Leave it out, and keep the original file',
      option: { undo: false },
    });
  }
  const reader = createReader(source); // whose window holds many small replacements at once
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
