// The frame of checkpoint files:
//   text      that names the format
//   u32       version
//   u32       length of the header in bytes
//   header    JSON in UTF-8
//   body      bytes
//   u32       CRC-32 of all bytes before
// All numbers are little-endian.
import { crc32 } from '../base/crc32.js';
import { OnnxMishError } from '../base/error.js';

/** A format of checkpoints, with its errors. */
export interface CheckpointFormat {
  readonly magic: Uint8Array;
  readonly version: number;
  readonly maxHeaderBytes: number;
  /** Error for bytes of another format. */
  other(): OnnxMishError;
  /** Error for bytes that are not whole. */
  damaged(cause?: unknown): OnnxMishError;
}

const headerAt = ({ magic }: Pick<CheckpointFormat, 'magic'>) => magic.length + 8;

/** Encodes a checkpoint. `write` writes the body, `bodyBytes` bytes from `at` on. */
export function encodeFrame(
  format: CheckpointFormat,
  header: object,
  bodyBytes: number,
  write: (bytes: Uint8Array, view: DataView, at: number) => void,
): Uint8Array {
  const { magic, version } = format;
  const text = new TextEncoder().encode(JSON.stringify(header));
  const bodyAt = headerAt(format) + text.length;
  const bytes = new Uint8Array(bodyAt + bodyBytes + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(magic);
  view.setUint32(magic.length, version, true);
  view.setUint32(magic.length + 4, text.length, true);
  bytes.set(text, headerAt(format));
  write(bytes, view, bodyAt);
  const end = bodyAt + bodyBytes;
  view.setUint32(end, crc32(bytes.subarray(0, end)), true);
  return bytes;
}

/** Decodes the header and the body of a checkpoint. Throws the errors of its format, and `bad-data` for another version. */
export function decodeFrame(
  bytes: Uint8Array,
  format: CheckpointFormat,
): { header: unknown; body: Uint8Array } {
  const { magic, version, maxHeaderBytes } = format;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = headerAt(format);
  if (bytes.length < start + 4 || magic.some((byte, at) => bytes[at] !== byte)) throw format.other();
  const given = view.getUint32(magic.length, true);
  if (given !== version) {
    throw new OnnxMishError('bad-data', `the checkpoint has version ${given}`, {
      fix: 'Resume with the onnx-mish that wrote it',
    });
  }
  const end = bytes.length - 4;
  if (view.getUint32(end, true) !== crc32(bytes.subarray(0, end))) throw format.damaged();
  const length = view.getUint32(magic.length + 4, true);
  if (length > Math.min(end - start, maxHeaderBytes)) throw format.damaged();
  const text = bytes.subarray(start, start + length);
  try {
    const header: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text));
    return { header, body: bytes.subarray(start + length, end) };
  } catch (cause) {
    throw format.damaged(cause);
  }
}
