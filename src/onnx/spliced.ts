import type { Span } from './document.js';
import type { ByteSource } from './source.js';

/** A flat replacement: what an `Edit` becomes once the lengths around it are replacements too. */
export interface Replacement extends Span {
  readonly bytes: Uint8Array;
}

/** A file as a list of pieces: ranges copied from the source, and new bytes. */
export interface Spliced {
  readonly source: ByteSource;
  /** Length in bytes. */
  readonly size: number;
  readonly pieces: readonly (Span | Uint8Array)[];
  /** What was replaced, in source order, length prefixes included. */
  readonly replacements: readonly Replacement[];
  /** Where the output has room for the digest of the source, within the last piece; see `sealOf`. */
  readonly seal?: number | undefined;
  /** The digest that the output has to have. */
  readonly digest?: string | undefined;
  /** The whole file in memory. Throws `cannot-undo` when its digest is another. */
  bytes(): Promise<Uint8Array>;
  /** The file as a Blob that shares the source's parts; for a source that is not a Blob, a copy of it. */
  blob(): Promise<Blob>;
}
