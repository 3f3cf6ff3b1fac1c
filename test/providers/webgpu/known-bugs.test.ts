import { afterAll, beforeAll, expect, test } from 'vitest';
import { scan } from '../../../src/onnx/scan.js';
import { browserProvider } from '../../../src/providers/browser/provider.js';
import { nodeProvider } from '../../../src/providers/node/provider.js';
import type { Session } from '../../../src/providers/provider.js';
import { webgpuMistakes } from '../../../src/providers/webgpu/known-bugs.js';
import { everyNth } from '../../support/heavy.js';
import { floats, model, node, value } from '../../support/model.js';
import { bytesOf, REAL_MODELS } from '../../support/models.js';

const SIZE = 10;
const webgpu = browserProvider('webgpu');
const cpu = nodeProvider('cpu');
afterAll(() => webgpu.close?.());

// A session that stays: with the last one WebGPU forgets the programs that it compiled, which takes most of the time.
beforeAll(async () => {
  await webgpu.open(convolution({ channels: 1, filters: 1, kernel: [1] }));
});

interface Shape {
  readonly channels: number;
  readonly filters: number;
  /** One length for a signal, two for an image. */
  readonly kernel: readonly number[];
  readonly size?: number;
  readonly stride?: number;
  readonly pads?: readonly number[];
}

/** One convolution from x to y. */
function convolution({ channels, filters, kernel, size = SIZE, stride = 1, pads }: Shape): Uint8Array {
  const dims = [filters, channels, ...kernel];
  const count = dims.reduce((product, length) => product * length, 1);
  const weights = Array.from({ length: count }, (_, index) => Math.sin(1.7 * index));
  const rank = kernel.length;
  const out = kernel.map((length, axis) => {
    const padded = size + (pads?.[axis] ?? 0) + (pads?.[axis + rank] ?? 0);
    return Math.floor((padded - length) / stride) + 1;
  });
  return model({
    nodes: [
      node('Conv', ['x', 'w'], ['y'], {
        kernel_shape: kernel,
        strides: kernel.map(() => stride),
        ...(pads === undefined ? {} : { pads }),
      }),
    ],
    inputs: [value('x', 1, [1, channels, ...kernel.map(() => size)])],
    outputs: [value('y', 1, [1, filters, ...out])],
    initializers: [floats('w', dims, weights)],
  });
}

async function outputOf(session: Session, dims: readonly number[]): Promise<Float32Array> {
  const count = dims.reduce((product, length) => product * length, 1);
  const data = Float32Array.from({ length: count }, (_, index) => Math.cos(0.37 * index));
  const { y } = await session.run({ x: { elemType: 'f32', dims, data } });
  await session.close();
  return y?.data as Float32Array;
}

const square = (channels: number, filters: number, side: number): Shape => ({
  channels,
  filters,
  kernel: [side, side],
});

const CONVOLUTIONS: readonly [Shape, wrong: boolean][] = [
  [square(3, 16, 3), false],
  [square(5, 16, 3), false],
  [square(6, 16, 3), true],
  [square(6, 16, 2), true],
  [square(6, 16, 1), false],
  [square(6, 6, 3), false],
  [square(8, 16, 3), false],
  [square(9, 8, 3), true],
  [square(10, 16, 3), false],
  [square(12, 16, 3), false],
  [square(15, 4, 3), true],
  // One pixel is no product of matrices where pixels are left out or put before.
  [{ ...square(6, 8, 1), stride: 2 }, true],
  [{ ...square(6, 8, 1), pads: [1, 1, 1, 1] }, true],
  // A kernel as large as the image is one.
  [{ ...square(6, 8, 3), size: 3 }, false],
  // Padding that is only after the image is left out there, whatever the channels.
  [{ ...square(8, 8, 1), pads: [0, 0, 1, 1] }, true],
  [{ ...square(5, 3, 1), pads: [0, 0, 0, 1] }, true],
  [{ ...square(4, 8, 3), size: 3, pads: [0, 0, 1, 1] }, true],
  [{ ...square(8, 8, 2), pads: [0, 0, 1, 1] }, false],
  [{ channels: 6, filters: 8, kernel: [3] }, true],
  [{ channels: 6, filters: 8, kernel: [1] }, false],
];

// A software GPU compiles each for half a second.
test.each(everyNth(5, CONVOLUTIONS))('%o: wrong (%s) as foretold', async (shape, wrong) => {
  const { channels, kernel, size = SIZE } = shape;
  const bytes = convolution(shape);
  const session = await webgpu.open(bytes);
  expect((session.suspicions ?? []).length > 0).toBe(wrong);
  const dims = [1, channels, ...kernel.map(() => size)];
  const got = await outputOf(session, dims);
  const want = await outputOf(await cpu.open(bytes), dims);
  const error = Math.max(...want.map((one, index) => Math.abs(one - (got[index] ?? Number.NaN))));
  if (wrong) expect(error).toBeGreaterThan(0.1);
  else expect(error).toBeLessThan(1e-4);
});

interface Chain {
  /** Operators after the Conv, one after the other. */
  readonly ops: readonly string[];
  /** Whether the first one's output is the model's, too. */
  readonly isRead?: boolean;
  /** Attribute of the first one. */
  readonly alpha?: number;
}

function chain({ ops, isRead = false, alpha }: Chain): Uint8Array {
  const dims = [1, 2, 4, 4];
  const inputs: Readonly<Record<string, string[]>> = {
    Clip: ['low', 'high'],
    BatchNormalization: ['s', 's', 's', 's'],
    Add: ['t'],
  };
  const names = ops.map((_, place) => (place === ops.length - 1 ? 'y' : `v${place}`));
  return model({
    nodes: [
      node('Conv', ['x', 'w'], ['c']),
      ...ops.map((op, place) => {
        const from = place === 0 ? 'c' : (names[place - 1] ?? '');
        const attributes = place === 0 && alpha !== undefined ? { alpha: { f: alpha } } : {};
        const name = `${op}_${place}`;
        return node(op, [from, ...(inputs[op] ?? [])], [names[place] ?? ''], attributes, { name });
      }),
    ],
    inputs: [value('x', 1, dims)],
    outputs: [value('y', 1, dims), ...(isRead ? [value('v0', 1, dims)] : [])],
    initializers: [
      floats('w', [2, 2, 1, 1], [1, -2, 0.5, 1.5]),
      floats('s', [2], [0.5, 1.5]),
      floats('t', [2, 1, 1], [0.5, -0.5]),
      floats('low', [], [-0.5]),
      floats('high', [], [1]),
    ],
  });
}

const CHAINS: readonly [Chain, wrong: boolean][] = [
  [{ ops: ['Relu', 'Tanh'] }, true],
  [{ ops: ['Clip', 'LeakyRelu'] }, true],
  [{ ops: ['Sigmoid', 'HardSigmoid'] }, true],
  [{ ops: ['Add', 'Tanh', 'Relu'] }, true],
  [{ ops: ['BatchNormalization', 'Relu', 'Tanh'] }, true],
  [{ ops: ['Tanh', 'Identity', 'Sigmoid'] }, true],
  [{ ops: ['Relu', 'Clip'] }, false],
  [{ ops: ['Elu', 'Tanh'] }, true],
  [{ ops: ['HardSwish', 'Relu'] }, true],
  [{ ops: ['Softplus', 'Sigmoid'] }, true],
  [{ ops: ['LeakyRelu', 'Relu'] }, false],
  [{ ops: ['LeakyRelu', 'Relu'], alpha: -0.5 }, true],
  [{ ops: ['Elu', 'Relu'], alpha: -1 }, true],
  [{ ops: ['Relu', 'Neg', 'Tanh'] }, false],
  [{ ops: ['Relu', 'Tanh'], isRead: true }, false],
];

test.each(everyNth(4, CHAINS))('%o after a Conv: wrong (%s) as foretold', async (shape, wrong) => {
  const bytes = chain(shape);
  const session = await webgpu.open(bytes);
  expect((session.suspicions ?? []).some((text) => text.includes('leaves it out'))).toBe(wrong);
  const dims = [1, 2, 4, 4];
  const [got, want] = [await outputOf(session, dims), await outputOf(await cpu.open(bytes), dims)];
  const error = Math.max(...want.map((one, index) => Math.abs(one - (got[index] ?? Number.NaN))));
  if (wrong) expect(error).toBeGreaterThan(0.01);
  else expect(error).toBeLessThan(1e-4);
});

test('an activation before a Relu is foretold where the Relu of its values is not that of its inputs', async () => {
  const FORMULAS = {
    LeakyRelu: (x: number, alpha: number) => (x < 0 ? alpha * x : x),
    Elu: (x: number, alpha: number) => (x < 0 ? alpha * Math.expm1(x) : x),
  };
  const xs = Array.from({ length: 81 }, (_, index) => (index - 40) / 10);
  for (const [op, formula] of Object.entries(FORMULAS)) {
    for (const alpha of [-2, -0.5, 0, 0.01, 1, 3]) {
      const matters = xs.some((x) => Math.max(0, formula(x, alpha)) !== Math.max(0, x));
      const bugs = webgpuMistakes(await scan(chain({ ops: [op, 'Relu'], alpha })));
      expect(bugs.length > 0, `${op} ${alpha}`).toBe(matters);
    }
  }
});

test('a convolution inside of the If of a published model is foretold', async () => {
  const [message, ...others] = webgpuMistakes(await scan(bytesOf(REAL_MODELS.vad)));
  expect(message).toContain('encoder/0/reparam_conv/Conv'); // over 129 channels; that of the other branch over 65
  expect(others).toEqual([]);
});
