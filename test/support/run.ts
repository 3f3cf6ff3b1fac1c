import { InferenceSession, Tensor } from 'onnxruntime-node';
import { fromHalf, toHalf } from '../../src/onnx/scalar.js';
import { isHeavy } from './heavy.js';
import { model, node } from './model.js';

export type Optimiser = 'disabled' | 'all';

/** ONNX Runtime may fuse or fold what a test is about, so numbers are compared with its optimiser on, and at whole size also with it off. */
export const OPTIMISERS: readonly Optimiser[] = isHeavy ? ['disabled', 'all'] : ['all'];

export type RunType = 'f16' | 'f32' | 'f64' | 'i64' | 'i32' | 'bool';

/** A tensor as plain numbers. */
export interface Feed {
  readonly type: RunType;
  readonly dims: readonly number[];
  readonly data: readonly number[];
}

/** A float32 tensor; a vector unless it has dims. */
export function f32(data: readonly number[], dims: readonly number[] = [data.length]): Feed {
  return { type: 'f32', dims, data };
}

function tensor({ type, dims, data }: Feed): Tensor {
  switch (type) {
    case 'f16':
      return new Tensor('float16', Uint16Array.from(data, toHalf), [...dims]);
    case 'f32':
      return new Tensor('float32', Float32Array.from(data), [...dims]);
    case 'f64':
      return new Tensor('float64', Float64Array.from(data), [...dims]);
    case 'i64':
      return new Tensor('int64', BigInt64Array.from(data, BigInt), [...dims]);
    case 'i32':
      return new Tensor('int32', Int32Array.from(data), [...dims]);
    case 'bool':
      return new Tensor('bool', Uint8Array.from(data), [...dims]);
  }
}

/** Loads a model, bytes or a file, into ONNX Runtime's CPU provider; rejects when it is not valid or has no kernels. */
export function load(
  model: Uint8Array | string,
  optimiser: Optimiser = 'disabled',
): Promise<InferenceSession> {
  // Level 4 keeps the runtime's log out of the tests' output; errors are thrown all the same.
  const options = { graphOptimizationLevel: optimiser, logSeverityLevel: 4 } as const;
  return typeof model === 'string'
    ? InferenceSession.create(model, options)
    : InferenceSession.create(model, options);
}

/** The outputs of a model as plain numbers. */
export async function run(
  model: Uint8Array | string,
  feeds: Readonly<Record<string, Feed>>,
  optimiser: Optimiser = 'disabled',
): Promise<Record<string, number[]>> {
  const session = await load(model, optimiser);
  const given = Object.entries(feeds).map(([name, feed]) => [name, tensor(feed)] as const);
  const results = await session.run(Object.fromEntries(given), { logSeverityLevel: 4 });
  const outputs: Record<string, number[]> = {};
  for (const [name, { type, data }] of Object.entries(results)) {
    const numbers = Array.from(data as ArrayLike<number | bigint>, Number);
    outputs[name] = type === 'float16' ? numbers.map(fromHalf) : numbers;
  }
  await session.release();
  return outputs;
}

/** Whether this ONNX Runtime takes models of an opset. */
async function takes(opset: number): Promise<boolean> {
  try {
    const session = await load(model({ opset, nodes: [node('Relu', ['x'], ['y'])] }));
    await session.release();
    return true;
  } catch {
    return false;
  }
}

async function findNewest(): Promise<number> {
  for (let opset = 40; opset > 18; opset--) if (await takes(opset)) return opset;
  throw new Error('ONNX Runtime took no opset above 18');
}

/** The newest opset that this ONNX Runtime takes. */
export const NEWEST_OPSET = await findNewest();
