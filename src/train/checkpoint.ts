// The format of checkpoints, in the frame of checkpoint-frame.ts: the text is "onnx-mish train\n", the version 1, the header
// { digest, epochs, best, state: [[name, length], ...], bestWeights: [[name, length], ...] }, and the body the values of `state`,
// then of `bestWeights`, in this order, as little-endian f32.
import { OnnxMishError } from '../base/error.js';
import { type CheckpointFormat, decodeFrame, encodeFrame } from './checkpoint-frame.js';
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

const FORMAT: CheckpointFormat = {
  magic: new TextEncoder().encode('onnx-mish train\n'),
  version: 1,
  maxHeaderBytes: 2 ** 26,
  other: () =>
    new OnnxMishError('bad-data', 'the bytes are not a checkpoint', {
      fix: 'Give a checkpoint of onnx-mish',
    }),
  damaged,
};

type Lengths = readonly (readonly [name: string, length: number])[];

/** Encodes a checkpoint. */
export function encodeCheckpoint({ state, bestWeights, ...rest }: Checkpoint): Uint8Array {
  const lengths = (values: ReadonlyMap<string, Float32Array>): Lengths =>
    [...values].map(([name, { length }]) => [name, length]);
  const header = { ...rest, state: lengths(state), bestWeights: lengths(bestWeights) };
  const arrays = [...state.values(), ...bestWeights.values()];
  const count = arrays.reduce((sum, { length }) => sum + length, 0);
  return encodeFrame(FORMAT, header, 4 * count, (_, view, bodyAt) => {
    let at = bodyAt;
    for (const values of arrays) {
      for (let index = 0; index < values.length; index++, at += 4)
        view.setFloat32(at, values[index] ?? 0, true);
    }
  });
}

/** Decodes a checkpoint. Throws `bad-data` for bytes that are not a whole checkpoint. */
export function decodeCheckpoint(bytes: Uint8Array): Checkpoint {
  const { header: given, body } = decodeFrame(bytes, FORMAT);
  const header = checkHeader(given);
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  let at = 0;
  const read = (lengths: Lengths) =>
    new Map(
      lengths.map(([name, count]) => {
        if (count > (body.length - at) / 4) throw damaged();
        const values = Float32Array.from({ length: count }, (_, index) =>
          view.getFloat32(at + 4 * index, true),
        );
        at += 4 * count;
        return [name, values] as const;
      }),
    );
  const [state, bestWeights] = [read(header.state), read(header.bestWeights)];
  if (at !== body.length) throw damaged();
  return { digest: header.digest, epochs: header.epochs, best: header.best, state, bestWeights };
}

interface Header extends Omit<Checkpoint, 'state' | 'bestWeights'> {
  readonly state: Lengths;
  readonly bestWeights: Lengths;
}

function checkHeader(value: unknown): Header {
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
