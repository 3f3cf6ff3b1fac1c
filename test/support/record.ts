const DIGITS = 64;
const AFTER = 3;

/**
 * A model without the digest in its undo record: what reads no weights, as a page, leaves dashes there. All else has to
 * be the command line's, the length as well.
 */
export function withoutDigest(bytes: Uint8Array): Buffer {
  const copy = Buffer.from(bytes);
  const end = copy.length - AFTER;
  if (!/^([0-9a-f]+|-+)"}}$/.test(copy.toString('latin1', end - DIGITS)))
    throw new Error('there is no digest');
  return copy.fill('-', end - DIGITS, end);
}

/** A record as it was before it held a digest, in a model whose record is its last entry. */
export function withOldRecord(bytes: Uint8Array): Uint8Array {
  // The key keeps its place and its length: what it was is unknown to every version.
  const copy = Buffer.from(bytes);
  const at = copy.lastIndexOf('"original":');
  if (at < 0) throw new Error('there is no digest');
  copy.write('"_riginal":', at, 'latin1');
  return new Uint8Array(copy);
}
