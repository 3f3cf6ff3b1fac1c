import type { Span } from './document.js';
import type { ByteSource } from './source.js';

/** Bytes that replace [start, end) of the source. Changed length prefixes are separate replacements. */
export interface Replacement extends Span {
  readonly bytes: Uint8Array;
}

/** A file as a list of pieces: ranges copied from the source, and new bytes. */
export interface Spliced {
  readonly source: ByteSource;
  /** Length in bytes. */
  readonly size: number;
  readonly pieces: readonly (Span | Uint8Array)[];
  /** The replacements in source order, including length prefixes. */
  readonly replacements: readonly Replacement[];
  /** Offset of the space for the source's digest, in the last piece; see `sealOf`. */
  readonly seal?: number | undefined;
  /** Expected digest of the output. */
  readonly digest?: string | undefined;
  /** Returns the whole file. Throws `cannot-undo` if its digest is wrong. */
  bytes(): Promise<Uint8Array>;
  /** Returns the file as a Blob. It shares the parts of a Blob source; other sources are copied. */
  blob(): Promise<Blob>;
}
