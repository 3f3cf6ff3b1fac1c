// The file format of checkpoints:
//   16 bytes  the text "onnx-mish train\n"
//   u32       version, 1
//   u32       length of the header in bytes
//   header    JSON in UTF-8: { digest, epochs, best, state: [[name, length], ...], bestWeights: [[name, length], ...] }
//   f32       the values of `state`, then of `bestWeights`, in this order
//   u32       CRC-32 of all bytes before
// All numbers are little-endian.
import { crc32 } from '../base/crc32.js';
import { OnnxMishError } from '../base/error.js';
import type { Epoch } from './epoch.js';

/** State of a training after a whole epoch. */
export interface Checkpoint {
  /** SHA-256 of the model and the options, in hexadecimal. */
  readonly digest: string;
  /** The finished epochs. */
  readonly epochs: readonly Epoch[];
  /** Number of the best epoch, whose weights are `bestWeights`; null without validation. */
  readonly best: number | null;
  /** Weights, running statistics and the optimiser's state, by name. */
  readonly state: ReadonlyMap<string, Float32Array>;
  readonly bestWeights: ReadonlyMap<string, Float32Array>;
}

const MAGIC = new TextEncoder().encode('onnx-mish train\n');
const VERSION_NUMBER = 1;
const HEADER_AT = MAGIC.length + 8;
const MAX_HEADER_BYTES = 2 ** 26;

type Lengths = readonly (readonly [name: string, length: number])[];

/** Encodes a checkpoint. */
export function encodeCheckpoint({ state, bestWeights, ...rest }: Checkpoint): Uint8Array {
  const lengths = (values: ReadonlyMap<string, Float32Array>): Lengths =>
    [...values].map(([name, { length }]) => [name, length]);
  const header = new TextEncoder().encode(
    JSON.stringify({ ...rest, state: lengths(state), bestWeights: lengths(bestWeights) }),
  );
  const arrays = [...state.values(), ...bestWeights.values()];
  const count = arrays.reduce((sum, { length }) => sum + length, 0);
  const bytes = new Uint8Array(HEADER_AT + header.length + 4 * count + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(MAGIC.length, VERSION_NUMBER, true);
  view.setUint32(MAGIC.length + 4, header.length, true);
  bytes.set(header, HEADER_AT);
  let at = HEADER_AT + header.length;
  for (const values of arrays) {
    for (let index = 0; index < values.length; index++, at += 4)
      view.setFloat32(at, values[index] ?? 0, true);
  }
  view.setUint32(at, crc32(bytes.subarray(0, at)), true);
  return bytes;
}

/** Decodes a checkpoint. Throws `bad-data` for bytes that are not a whole checkpoint. */
export function decodeCheckpoint(bytes: Uint8Array): Checkpoint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_AT + 4 || MAGIC.some((byte, at) => bytes[at] !== byte))
    throw bad('the bytes are not a checkpoint', 'Give a checkpoint of onnx-mish');
  const version = view.getUint32(MAGIC.length, true);
  if (version !== VERSION_NUMBER)
    throw bad(`the checkpoint has version ${version}`, `Resume with the onnx-mish that wrote it`);
  const end = bytes.length - 4;
  if (view.getUint32(end, true) !== crc32(bytes.subarray(0, end))) throw damaged();
  const length = view.getUint32(MAGIC.length + 4, true);
  if (length > Math.min(end - HEADER_AT, MAX_HEADER_BYTES)) throw damaged();
  const header = parseHeader(bytes.subarray(HEADER_AT, HEADER_AT + length));
  let at = HEADER_AT + length;
  const read = (lengths: Lengths) =>
    new Map(
      lengths.map(([name, count]) => {
        if (count > (end - at) / 4) throw damaged();
        const values = Float32Array.from({ length: count }, (_, index) =>
          view.getFloat32(at + 4 * index, true),
        );
        at += 4 * count;
        return [name, values] as const;
      }),
    );
  const [state, bestWeights] = [read(header.state), read(header.bestWeights)];
  if (at !== end) throw damaged();
  return { digest: header.digest, epochs: header.epochs, best: header.best, state, bestWeights };
}

interface Header extends Omit<Checkpoint, 'state' | 'bestWeights'> {
  readonly state: Lengths;
  readonly bestWeights: Lengths;
}

function parseHeader(bytes: Uint8Array): Header {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw damaged(cause);
  }
  const header = (typeof value === 'object' && value !== null ? value : {}) as Partial<Header>;
  const { digest, epochs, best = null, state, bestWeights } = header;
  const sound =
    typeof digest === 'string' &&
    areEpochs(epochs) &&
    (best === null || (Number.isInteger(best) && best >= 1 && best <= epochs.length)) &&
    areLengths(state) &&
    areLengths(bestWeights);
  if (!sound) throw damaged();
  return { digest, epochs, best, state, bestWeights };
}

function areLengths(value: unknown): value is Lengths {
  return (
    Array.isArray(value) &&
    value.every(
      (entry) =>
        Array.isArray(entry) &&
        entry.length === 2 &&
        typeof entry[0] === 'string' &&
        Number.isSafeInteger(entry[1]) &&
        entry[1] >= 0,
    )
  );
}

function areEpochs(value: unknown): value is Epoch[] {
  const isNumber = (number: unknown) => typeof number === 'number';
  const isScore = (score: Partial<Epoch> | null | undefined) =>
    typeof score === 'object' &&
    score !== null &&
    isNumber(score.loss) &&
    (score.accuracy === null || isNumber(score.accuracy));
  return (
    Array.isArray(value) &&
    value.every(
      (epoch: Partial<Epoch> | null, index) =>
        isScore(epoch) &&
        epoch?.epoch === index + 1 &&
        [epoch.rate, epoch.seconds, epoch.steps].every(isNumber) &&
        (epoch.validation === null || isScore(epoch.validation)),
    )
  );
}

function damaged(cause?: unknown): OnnxMishError {
  const fix = 'Start anew, or give an undamaged copy';
  return new OnnxMishError('bad-data', 'the checkpoint is damaged', { fix, cause });
}

function bad(what: string, fix: string): OnnxMishError {
  return new OnnxMishError('bad-data', what, { fix });
}
