import { afterAll, expect, test } from 'vitest';
import { browserProvider } from '../../../src/providers/browser/provider.js';
import { nodeProvider } from '../../../src/providers/node/provider.js';
import type { Session } from '../../../src/providers/provider.js';
import { floats, model, node, value } from '../../support/model.js';

const SIZE = 10;
const webgpu = browserProvider('webgpu');
const cpu = nodeProvider('cpu');
afterAll(() => webgpu.close?.());

/** One convolution of `filters` filters of `kernel` × `kernel` over `channels` channels, without padding. */
function convolution(channels: number, filters: number, kernel: number): Uint8Array {
  const count = filters * channels * kernel * kernel;
  const weights = Array.from({ length: count }, (_, index) => Math.sin(1.7 * index));
  const out = SIZE - kernel + 1;
  return model({
    nodes: [node('Conv', ['x', 'w'], ['y'], { kernel_shape: [kernel, kernel] })],
    inputs: [value('x', 1, [1, channels, SIZE, SIZE])],
    outputs: [value('y', 1, [1, filters, out, out])],
    initializers: [floats('w', [filters, channels, kernel, kernel], weights)],
  });
}

async function outputOf(session: Session, channels: number): Promise<Float32Array> {
  const data = Float32Array.from({ length: channels * SIZE * SIZE }, (_, index) => Math.cos(0.37 * index));
  const { y } = await session.run({ x: { elemType: 'f32', dims: [1, channels, SIZE, SIZE], data } });
  await session.close();
  return y?.data as Float32Array;
}

test.each([
  [3, 16, 3, false],
  [5, 16, 3, false],
  [6, 16, 3, true],
  [6, 16, 2, true],
  [6, 16, 1, false],
  [6, 6, 3, false],
  [8, 16, 3, false],
  [9, 8, 3, true],
  [10, 16, 3, false],
  [12, 16, 3, false],
  [15, 4, 3, true],
])(
  '%i channels, %i filters of %i pixels a side: wrong (%s) as foretold',
  async (channels, filters, kernel, wrong) => {
    const bytes = convolution(channels, filters, kernel);
    const session = await webgpu.open(bytes);
    expect((session.suspicions ?? []).length > 0).toBe(wrong);
    const got = await outputOf(session, channels);
    const want = await outputOf(await cpu.open(bytes), channels);
    const error = Math.max(...want.map((one, index) => Math.abs(one - (got[index] ?? Number.NaN))));
    if (wrong) expect(error).toBeGreaterThan(0.1);
    else expect(error).toBeLessThan(1e-4);
  },
);
