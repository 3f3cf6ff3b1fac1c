import { OnnxMishError } from '../base/error.js';
import { createReader } from './reader.js';
import type { ByteSource } from './source.js';
import { replace, type Spliced } from './splice.js';

/**
 * What turns a written file back into its source, as JSON that fits in a metadata entry.
 * `edits` are in file order: bytes kept since the last edit, bytes to drop, base64 of the bytes that stood there.
 * What follows the first `size` bytes of the file was appended, the record itself among it.
 */
interface Patch {
  readonly v: 1;
  /** Length of the written file without what was appended. */
  readonly size: number;
  /** FNV-1a of all the bytes to drop, to notice a file that has been changed since. */
  readonly check: number;
  readonly edits: readonly (readonly [kept: number, drop: number, restore: string])[];
}

/** Characters of a record: of a string V8 holds 2^29, other engines more. */
const LONGEST_RECORD = 5e8;
/** Of an edit without what is to be restored. */
const LONGEST_EDIT = 50;

/**
 * The record that undoes a splice. Call it before anything is appended to the end of the file. Throws `bad-usage` where it would
 * be too long.
 */
export async function inversePatch(spliced: Spliced): Promise<string> {
  const { source, replacements } = spliced;
  const length = replacements.reduce(
    (sum, { start, end }) => sum + (4 / 3) * (end - start) + LONGEST_EDIT,
    0,
  );
  if (length > LONGEST_RECORD) {
    throw new OnnxMishError('bad-usage', 'what undo needs is too much to be kept in the model', {
      where: source.name,
      fix: 'Leave it out with --no-undo, and keep the original file',
    });
  }
  const reader = createReader(source); // whose window holds many small replacements at once
  let check = FNV_START;
  let at = 0;
  const edits: [number, number, string][] = [];
  for (const { start, end, bytes } of replacements) {
    const old = await reader.bytes(start, end);
    check = fnv1a(check, bytes);
    edits.push([start - at, bytes.length, encode(old)]);
    at = end;
  }
  return JSON.stringify({ v: 1, size: spliced.size, check, edits } satisfies Patch);
}

/** The source again, from the file that was written and its record. Throws `cannot-undo` when they do not fit. */
export async function applyPatch(written: ByteSource, record: string): Promise<Spliced> {
  const changed = () =>
    new OnnxMishError(
      'cannot-undo',
      'the file has been changed since the swap, so its bytes cannot be restored',
      {
        where: written.name,
        fix: 'Take the original file from where it is kept',
      },
    );
  const patch = parse(record);
  if (patch === undefined || patch.size > written.size) throw changed();
  const reader = createReader(written);
  let check = FNV_START;
  let at = 0;
  const replacements = [];
  for (const [kept, drop, restore] of patch.edits) {
    const start = at + kept;
    at = start + drop;
    const bytes = decode(restore);
    if (at > patch.size || bytes === undefined) throw changed();
    check = fnv1a(check, await reader.bytes(start, at));
    replacements.push({ start, end: at, bytes });
  }
  if (check !== patch.check) throw changed();
  replacements.push({ start: patch.size, end: written.size, bytes: new Uint8Array(0) });
  return replace(written, replacements);
}

function parse(record: string): Patch | undefined {
  const count = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  try {
    const patch: unknown = JSON.parse(record);
    if (typeof patch !== 'object' || patch === null) return undefined;
    const { v, size, check, edits } = patch as Record<string, unknown>;
    if (v !== 1 || !count(size) || !count(check) || !Array.isArray(edits)) return undefined;
    const sound = edits.every(
      (edit) => Array.isArray(edit) && count(edit[0]) && count(edit[1]) && typeof edit[2] === 'string',
    );
    return sound ? (patch as Patch) : undefined;
  } catch {
    return undefined;
  }
}

/** Bytes that become text at once: a number of whole groups of three. */
const CHUNK = 3 * 2 ** 13;

function encode(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += CHUNK)
    text += btoa(String.fromCharCode(...bytes.subarray(at, at + CHUNK)));
  return text;
}

function decode(base64: string): Uint8Array | undefined {
  try {
    const text = atob(base64);
    const bytes = new Uint8Array(text.length);
    for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
    return bytes;
  } catch {
    return undefined;
  }
}

const FNV_START = 0x811c9dc5;

/** FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/). */
function fnv1a(hash: number, bytes: Uint8Array): number {
  let h = hash;
  for (const byte of bytes) h = Math.imul(h ^ byte, 0x01000193) >>> 0;
  return h;
}
