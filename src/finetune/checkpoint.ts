// The format of the checkpoints of a fine-tuning, in the frame of train/checkpoint-frame.ts: the text is "onnx-mish finetune\n",
// the version 1, and the body has the parts, whose lengths the header has, in the order of the header.
import { z } from 'zod';
import { OnnxMishError } from '../base/error.js';
import { type CheckpointFormat, decodeFrame, encodeFrame } from '../train/checkpoint-frame.js';
import { finetuneSchema } from './report-schema.js';

/** State of a fine-tuning after a whole epoch. */
export interface FinetuneCheckpoint extends Omit<z.infer<typeof header>, 'parts'> {
  /** The swapped model from which its trainings start. */
  readonly start: Uint8Array;
  /** State of the trainer of each finished run, if the run is needed again. */
  readonly finished: readonly (Uint8Array | undefined)[];
  /** State of the trainer of the current run. */
  readonly current: Uint8Array;
  /** State of the trainer of the run that takes turns with the current one. */
  readonly other?: Uint8Array | undefined;
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
  /** The same score of the run that takes turns with the current one. */
  otherBefore: finetuneSchema.shape.runs.element.shape.before.optional(),
  /** Whether the start has repaired weights. */
  isRepaired: z.boolean(),
  notes: z.array(z.string()),
  /** The finished runs with their results on the test part. */
  runs: z.array(run),
  parts: z.object({
    start: length,
    finished: z.array(length.nullable()),
    current: length,
    other: length.optional(),
  }),
});

const FORMAT: CheckpointFormat = {
  magic: new TextEncoder().encode('onnx-mish finetune\n'),
  version: 1,
  maxHeaderBytes: 2 ** 28,
  other: () => bad('this is not a checkpoint of a fine-tuning', 'Give the checkpoint that finetune wrote'),
  damaged,
};

/** Encodes a checkpoint. */
export function encodeFinetuneCheckpoint({
  start,
  finished,
  current,
  other,
  ...rest
}: FinetuneCheckpoint): Uint8Array {
  const lengths = {
    start: start.length,
    finished: finished.map((bytes) => bytes?.length ?? null),
    current: current.length,
    other: other?.length,
  };
  const parts = [start, ...finished, current, other].filter((bytes) => bytes !== undefined);
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  return encodeFrame(FORMAT, { ...rest, parts: lengths }, size, (bytes, _, bodyAt) => {
    let at = bodyAt;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
  });
}

/** Decodes a checkpoint. Throws `bad-data` for bytes that are not a whole checkpoint. */
export function decodeFinetuneCheckpoint(bytes: Uint8Array): FinetuneCheckpoint {
  const { header: given, body } = decodeFrame(bytes, FORMAT);
  const checked = header.safeParse(given);
  if (!checked.success) throw damaged(checked.error);
  const { parts, ...rest } = checked.data;
  let at = 0;
  const take = (count: number) => {
    if (count > body.length - at) throw damaged();
    at += count;
    return body.subarray(at - count, at);
  };
  const start = take(parts.start);
  const finished = parts.finished.map((count) => (count === null ? undefined : take(count)));
  const current = take(parts.current);
  const other = parts.other === undefined ? undefined : take(parts.other);
  if (at !== body.length || finished.length !== rest.runs.length) throw damaged();
  return { ...rest, start, finished, current, ...(other === undefined ? {} : { other }) };
}

function damaged(cause?: unknown): OnnxMishError {
  return bad('the checkpoint is damaged', 'Start anew without the checkpoint', cause);
}

function bad(what: string, fix: string, cause?: unknown): OnnxMishError {
  return new OnnxMishError('bad-data', what, { fix, cause });
}
