// The file format of the checkpoints of a fine-tuning:
//   19 bytes  the text "onnx-mish finetune\n"
//   u32       version, 1
//   u32       length of the header in bytes
//   header    JSON in UTF-8
//   parts     bytes, whose lengths the header has, in the order of the header
//   u32       CRC-32 of all bytes before
// All numbers are little-endian.
import { z } from 'zod';
import { crc32 } from '../base/crc32.js';
import { OnnxMishError } from '../base/error.js';
import { finetuneSchema } from './report-schema.js';

/** State of a fine-tuning after a whole epoch. */
export interface FinetuneCheckpoint extends Omit<z.infer<typeof header>, 'parts'> {
  /** The swapped model from which its trainings start. */
  readonly start: Uint8Array;
  /** State of the trainer of each finished run, if the run is needed again. */
  readonly finished: readonly (Uint8Array | undefined)[];
  /** State of the trainer of the current run. */
  readonly current: Uint8Array;
}

const length = z.int().nonnegative();
const run = z.object({
  run: finetuneSchema.shape.runs.element,
  losses: z.array(z.number()),
  correct: z.array(z.number()).nullable(),
});

const header = z.object({
  /** SHA-256 of the model, the data and the options, in hexadecimal. */
  digest: z.string(),
  /** Seconds of the command so far. */
  seconds: z.number().nonnegative(),
  /** Score of the current run on the validation part before training. */
  before: finetuneSchema.shape.runs.element.shape.before,
  /** Whether the start has repaired weights. */
  isRepaired: z.boolean(),
  notes: z.array(z.string()),
  /** The finished runs with their results on the test part. */
  runs: z.array(run),
  parts: z.object({ start: length, finished: z.array(length.nullable()), current: length }),
});

const MAGIC = new TextEncoder().encode('onnx-mish finetune\n');
const FORMAT = 1;
const HEADER_AT = MAGIC.length + 8;
const MAX_HEADER_BYTES = 2 ** 28;

/** Encodes a checkpoint. */
export function encodeFinetuneCheckpoint({
  start,
  finished,
  current,
  ...rest
}: FinetuneCheckpoint): Uint8Array {
  const lengths = {
    start: start.length,
    finished: finished.map((bytes) => bytes?.length ?? null),
    current: current.length,
  };
  const text = new TextEncoder().encode(JSON.stringify({ ...rest, parts: lengths }));
  const parts = [start, ...finished.filter((bytes) => bytes !== undefined), current];
  const size = parts.reduce((sum, part) => sum + part.length, HEADER_AT + text.length);
  const bytes = new Uint8Array(size + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(MAGIC.length, FORMAT, true);
  view.setUint32(MAGIC.length + 4, text.length, true);
  bytes.set(text, HEADER_AT);
  let at = HEADER_AT + text.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  view.setUint32(at, crc32(bytes.subarray(0, at)), true);
  return bytes;
}

/** Decodes a checkpoint. Throws `bad-data` for bytes that are not a whole checkpoint. */
export function decodeFinetuneCheckpoint(bytes: Uint8Array): FinetuneCheckpoint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_AT + 4 || MAGIC.some((byte, at) => bytes[at] !== byte))
    throw bad('this is not a checkpoint of a fine-tuning', 'Give the checkpoint that finetune wrote');
  const version = view.getUint32(MAGIC.length, true);
  if (version !== FORMAT)
    throw bad(`the checkpoint has version ${version}`, 'Resume with the onnx-mish that wrote it');
  const end = bytes.length - 4;
  const size = view.getUint32(MAGIC.length + 4, true);
  const isWhole = view.getUint32(end, true) === crc32(bytes.subarray(0, end));
  if (!isWhole || size > Math.min(end - HEADER_AT, MAX_HEADER_BYTES)) throw damaged();
  const { parts, ...rest } = parseHeader(bytes.subarray(HEADER_AT, HEADER_AT + size));
  let at = HEADER_AT + size;
  const take = (count: number) => {
    if (count > end - at) throw damaged();
    at += count;
    return bytes.subarray(at - count, at);
  };
  const start = take(parts.start);
  const finished = parts.finished.map((count) => (count === null ? undefined : take(count)));
  const current = take(parts.current);
  if (at !== end || finished.length !== rest.runs.length) throw damaged();
  return { ...rest, start, finished, current };
}

function parseHeader(bytes: Uint8Array): z.infer<typeof header> {
  try {
    return header.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch (cause) {
    throw damaged(cause);
  }
}

const damaged = (cause?: unknown) =>
  bad('the checkpoint is damaged', 'Start anew without the checkpoint', cause);

function bad(what: string, fix: string, cause?: unknown): OnnxMishError {
  return new OnnxMishError('bad-data', what, { fix, cause });
}
