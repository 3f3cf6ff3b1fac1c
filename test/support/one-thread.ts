import { InferenceSession } from 'onnxruntime-node';
import { isHeavy } from './heavy.js';

// Gives ONNX Runtime one thread in the tests' process where a test names no number: models of tests are small, so that
// starting, waking and ending threads takes longer than all else. `npm run test:heavy` has ONNX Runtime's own number.

const original = InferenceSession.create;
const create = (...args: unknown[]): Promise<InferenceSession> =>
  Reflect.apply(original, InferenceSession, args);

const isOptions = (value: unknown): value is InferenceSession.SessionOptions =>
  typeof value === 'object' &&
  value !== null &&
  !ArrayBuffer.isView(value) &&
  !(value instanceof ArrayBuffer);

function createOnOneThread(...args: unknown[]): Promise<InferenceSession> {
  const given = args.at(-1);
  return isOptions(given)
    ? create(...args.slice(0, -1), { intraOpNumThreads: 1, ...given })
    : create(...args, { intraOpNumThreads: 1 });
}

// Files that share a process all run this.
if (!isHeavy && InferenceSession.create.name !== createOnOneThread.name)
  Object.assign(InferenceSession, { create: createOnOneThread });
