import { fnv1a } from './checksum.js';
import { createReader } from './reader.js';
import { changedSince } from './seal.js';
import type { ByteSource } from './source.js';
import { replace, type Spliced } from './splice.js';
import { NO_DIGEST, NOTHING, type Original, type Patch } from './undo-record.js';

/**
 * Applies an undo record to a written file. Returns the original file, and what the record says of it. The digest is
 * compared when the original is read. Throws `cannot-undo` if file and record do not match.
 */
export async function applyPatch(
  written: ByteSource,
  record: string,
): Promise<{ output: Spliced; original: Original | undefined }> {
  const changed = () => changedSince(written.name);
  const patch = parse(record);
  if (patch === undefined || patch.size > written.size) throw changed();
  const reader = createReader(written);
  let check = fnv1a(NOTHING);
  let at = 0;
  const replacements = [];
  for (const [kept, drop, restore] of patch.edits) {
    const start = at + kept;
    at = start + drop;
    const bytes = decode(restore);
    if (at > patch.size || bytes === undefined) throw changed();
    check = fnv1a(await reader.bytes(start, at), check);
    replacements.push({ start, end: at, bytes });
  }
  if (check !== patch.check) throw changed();
  replacements.push({ start: patch.size, end: written.size, bytes: new Uint8Array(0) });
  const digest = patch.original?.digest === NO_DIGEST ? undefined : patch.original?.digest;
  const output = replace(written, replacements, { digest });
  if (patch.original !== undefined && patch.original.size !== output.size) throw changed();
  return { output, original: patch.original && { ...patch.original, digest } };
}

function parse(record: string): Patch | undefined {
  const count = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
  try {
    const patch: unknown = JSON.parse(record);
    if (typeof patch !== 'object' || patch === null) return undefined;
    const { v, size, check, edits, original } = patch as Record<string, unknown>;
    if (v !== 1 || !count(size) || !count(check) || !Array.isArray(edits)) return undefined;
    const sound = edits.every(
      (edit) => Array.isArray(edit) && count(edit[0]) && count(edit[1]) && typeof edit[2] === 'string',
    );
    return sound && (original === undefined || isOriginal(original)) ? (patch as Patch) : undefined;
  } catch {
    return undefined;
  }
}

function isOriginal(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { size, structure, digest } = value as Record<string, unknown>;
  const isDigest = typeof digest === 'string' && /^([0-9a-f]{64}|-{64})$/.test(digest);
  return Number.isSafeInteger(size) && typeof structure === 'string' && isDigest;
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
