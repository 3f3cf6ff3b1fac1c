/** A file in a ZIP archive (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT). */
export interface Entry {
  readonly name: string;
  /** Compression method: 0 is stored, 8 is deflate. */
  readonly method: number;
  readonly crc: number;
  /** Offset of its local header; `size` and `originalSize` are the packed and unpacked bytes. */
  readonly local: number;
  readonly size: number;
  readonly originalSize: number;
}

const END = { signature: 0x06054b50, length: 22, longestComment: 0xffff };
const END64 = { signature: 0x06064b50, length: 56 };
const LOCATOR = { signature: 0x07064b50, length: 20 };
const CENTRAL = { signature: 0x02014b50, length: 46 };
const LOCAL = { signature: 0x04034b50, length: 30 };
/** Marks a number that is in the ZIP64 extra field instead. */
const IN_ZIP64 = 0xffffffff;
const ZIP64 = 1;
const UTF8 = 0x800;

/** Start of a record of the archive: its first four bytes, and the number of bytes that every such record has. */
interface RecordKind {
  readonly signature: number;
  readonly length: number;
}

const holdsAt = (view: DataView, at: number, { signature, length }: RecordKind) =>
  at >= 0 && at + length <= view.byteLength && view.getUint32(at, true) === signature;

/** Returns the packed data of an entry. Throws an Error if the data is outside the archive. */
export function packedData(bytes: Uint8Array, { name, local, size }: Entry): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!holdsAt(view, local, LOCAL)) throw new Error(`'${name}' is not at the offset in the directory`);
  const start = local + LOCAL.length + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  if (start + size > bytes.length) throw new Error(`'${name}' is truncated`);
  return bytes.subarray(start, start + size);
}

/** Yields the entries of an archive's directory. Throws an Error that says what is wrong. */
export function* readDirectory(bytes: Uint8Array): Generator<Entry> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const holds = (at: number, record: RecordKind) => holdsAt(view, at, record);
  const long = (at: number) => Number(view.getBigUint64(at, true));

  let end = bytes.length - END.length;
  const first = Math.max(0, end - END.longestComment);
  while (end >= first && !holds(end, END)) end--;
  if (!holds(end, END)) throw new Error('it has no directory');
  let count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  const locator = end - LOCATOR.length;
  if (holds(locator, LOCATOR)) {
    const end64 = long(locator + 8);
    if (!holds(end64, END64)) throw new Error('it has no directory');
    count = long(end64 + 32);
    at = long(end64 + 48);
  }

  for (let index = 0; index < count; index++) {
    if (!holds(at, CENTRAL)) throw new Error('its entries overlap, or it is truncated');
    const u16 = (offset: number) => view.getUint16(at + offset, true);
    const u32 = (offset: number) => view.getUint32(at + offset, true);
    const nameAt = at + CENTRAL.length;
    const extraAt = nameAt + u16(28);
    const next = extraAt + u16(30) + u16(32);
    if (next > bytes.length) throw new Error('its entries overlap, or it is truncated');
    const label = (u16(8) & UTF8) === 0 ? 'latin1' : 'utf-8';
    const name = new TextDecoder(label).decode(bytes.subarray(nameAt, extraAt));
    const numbers = [u32(24), u32(20), u32(42)];
    let extra = extraAt;
    while (extra + 4 <= extraAt + u16(30)) {
      const [id, length] = [view.getUint16(extra, true), view.getUint16(extra + 2, true)];
      let from = extra + 4;
      extra = from + length;
      if (id !== ZIP64) continue;
      for (const [which, number] of numbers.entries()) {
        if (number !== IN_ZIP64 || from + 8 > Math.min(extra, bytes.length)) continue;
        numbers[which] = long(from);
        from += 8;
      }
    }
    const [originalSize = 0, size = 0, local = 0] = numbers;
    yield { name, method: u16(10), crc: u32(16), local, size, originalSize };
    at = next;
  }
}
