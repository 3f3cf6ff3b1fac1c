import { OnnxMishError } from '../base/error.js';
import type { Frame, Span } from './document.js';
import { varint } from './encode.js';
import { sealOf } from './seal.js';
import { type ByteSource, toSource } from './source.js';
import type { Replacement, Spliced } from './spliced.js';

export type { Replacement, Spliced } from './spliced.js';

/** Bytes that replace [start, end) of the source; start === end inserts. */
export interface Edit extends Span {
  readonly bytes: Uint8Array;
  /** The innermost message around the edit; undefined at the level of the model. */
  readonly frame: Frame | undefined;
}

/** Replaces a node or value; empty bytes delete it. Uses no object spread: V8 would create a hidden class per object. */
export function replacing(
  { span: { start, end }, frame }: { readonly span: Span; readonly frame: Edit['frame'] },
  bytes: Uint8Array,
): Edit {
  return { start, end, bytes, frame };
}

/**
 * Applies edits to a source and updates the length prefix of every message around them. All other bytes
 * stay the same. Edits must not overlap.
 */
export function splice(source: ByteSource, edits: readonly Edit[]): Spliced {
  return replace(source, [...edits.map(flat), ...lengthPrefixes(edits, ({ bytes }) => bytes.length)]);
}

const flat = ({ start, end, bytes }: Edit): Replacement => ({ start, end, bytes });

/** Returns the replacements of the length prefixes that the edits change; `sizeOf` returns the new number of bytes. */
export function lengthPrefixes<E extends Omit<Edit, 'bytes'>>(
  edits: readonly E[],
  sizeOf: (edit: E) => number,
): Replacement[] {
  const growth = new Map<Frame, number>();
  const add = (frame: Frame, bytes: number) => growth.set(frame, (growth.get(frame) ?? 0) + bytes);
  for (const edit of edits) {
    if (edit.frame !== undefined) add(edit.frame, sizeOf(edit) - (edit.end - edit.start));
  }
  const frames = new Set<Frame>();
  for (const inner of growth.keys()) {
    for (let frame: Frame | undefined = inner; frame && !frames.has(frame); frame = frame.parent)
      frames.add(frame);
  }
  const prefixes: Replacement[] = [];
  // Backwards: a longer prefix also lengthens the enclosing message, which starts earlier.
  for (const frame of [...frames].sort((a, b) => b.start - a.start)) {
    const grown = growth.get(frame) ?? 0;
    if (grown === 0) continue;
    const bytes = varint(frame.end - frame.start + grown);
    prefixes.push({ start: frame.lengthAt, end: frame.start, bytes });
    if (frame.parent !== undefined) add(frame.parent, grown + bytes.length - (frame.start - frame.lengthAt));
  }
  return prefixes;
}

/** Replaces bytes of a source; length prefixes stay. Throws `bad-usage` for replacements that overlap or leave the source. */
export function replace(
  source: ByteSource,
  unordered: readonly Replacement[],
  proof: Pick<Spliced, 'seal' | 'digest'> = {},
): Spliced {
  const replacements = unordered.toSorted((a, b) => a.start - b.start || a.end - b.end);
  const pieces: (Span | Uint8Array)[] = [];
  let at = 0;
  let size = source.size;
  for (const { start, end, bytes } of replacements) {
    if (start < at || end < start || end > source.size) {
      throw new OnnxMishError('bad-usage', `edits overlap or leave the file at byte ${start}`, {
        where: source.name,
      });
    }
    if (start > at) pieces.push({ start: at, end: start });
    if (bytes.length > 0) pieces.push(bytes);
    size += bytes.length - (end - start);
    at = end;
  }
  if (at < source.size) pieces.push({ start: at, end: source.size });
  return {
    source,
    size,
    pieces,
    replacements,
    ...proof,
    async bytes() {
      const out = new Uint8Array(size);
      let to = 0;
      for (const piece of pieces) {
        if (piece instanceof Uint8Array) out.set(piece, to);
        else if (source.readInto)
          await source.readInto(out.subarray(to, to + piece.end - piece.start), piece.start);
        else out.set(await source.read(piece.start, piece.end - piece.start), to);
        to += piece instanceof Uint8Array ? piece.length : piece.end - piece.start;
      }
      const sealed = await sealOf(this, undefined, toSource(out));
      if (sealed !== undefined) out.set(sealed, this.seal);
      return out;
    },
    async blob() {
      const { blob } = source;
      if (blob === undefined) return new Blob([(await this.bytes()) as Uint8Array<ArrayBuffer>]);
      return new Blob(
        pieces.map((piece) =>
          piece instanceof Uint8Array
            ? (piece as Uint8Array<ArrayBuffer>)
            : blob.slice(piece.start, piece.end),
        ),
      );
    },
  };
}
