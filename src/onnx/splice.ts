import { OnnxMishError } from '../base/error.js';
import type { Frame, Span } from './document.js';
import { varint } from './encode.js';
import { sealOf } from './seal.js';
import { type ByteSource, toSource } from './source.js';
import type { Replacement, Spliced } from './spliced.js';

export type { Replacement, Spliced } from './spliced.js';

/** Bytes to put in the place of [start, end) of the source; start === end inserts. */
export interface Edit extends Span {
  readonly bytes: Uint8Array;
  /** The innermost message that encloses the place; none at the model's own level. */
  readonly frame: Frame | undefined;
}

/**
 * Puts bytes in the place of a node or a value; none take it out. Written out, since V8 makes a hidden class for each object that
 * is spread and added to.
 */
export function replacing(
  { span: { start, end }, frame }: { readonly span: Span; readonly frame: Edit['frame'] },
  bytes: Uint8Array,
): Edit {
  return { start, end, bytes, frame };
}

/**
 * Applies edits to a source, and recomputes the length prefix of every message around them; all other
 * bytes are the source's own. Edits must not overlap; no edits give the source back byte for byte.
 */
export function splice(source: ByteSource, edits: readonly Edit[]): Spliced {
  return replace(source, [...edits.map(flat), ...lengths(edits)]);
}

const flat = ({ start, end, bytes }: Edit): Replacement => ({ start, end, bytes });

/** The length prefixes that the edits change. */
function lengths(edits: readonly Edit[]): Replacement[] {
  const growth = new Map<Frame, number>();
  const add = (frame: Frame, bytes: number) => growth.set(frame, (growth.get(frame) ?? 0) + bytes);
  for (const { frame, start, end, bytes } of edits) {
    if (frame !== undefined) add(frame, bytes.length - (end - start));
  }
  const frames = new Set<Frame>();
  for (const inner of growth.keys()) {
    for (let frame: Frame | undefined = inner; frame && !frames.has(frame); frame = frame.parent)
      frames.add(frame);
  }
  const prefixes: Replacement[] = [];
  // Backwards: a prefix that becomes longer makes the message around it, which starts before it, longer as well.
  for (const frame of [...frames].sort((a, b) => b.start - a.start)) {
    const grown = growth.get(frame) ?? 0;
    if (grown === 0) continue;
    const bytes = varint(frame.end - frame.start + grown);
    prefixes.push({ start: frame.lengthAt, end: frame.start, bytes });
    if (frame.parent !== undefined) add(frame.parent, grown + bytes.length - (frame.start - frame.lengthAt));
  }
  return prefixes;
}

/** Applies flat replacements to a source. */
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
        const bytes =
          piece instanceof Uint8Array ? piece : await source.read(piece.start, piece.end - piece.start);
        out.set(bytes, to);
        to += bytes.length;
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
