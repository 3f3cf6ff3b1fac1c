import { describe, expect, test } from 'vitest';
import { inspect } from '../../src/mish/inspect.js';
import { folded, noise, tensors } from '../support/fold.js';
import { isHeavy } from '../support/heavy.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';
import { f32 } from '../support/run.js';

describe('models that others trained', { timeout: 60_000 }, () => {
  // What the detector gives are probabilities; of noise it makes next to nothing, and ONNX Runtime's Sigmoid is exact to 6e-8.
  const cases = [
    { name: 'detector', count: [12, 12], leaky: 'mish', dims: [1, 3, 64, 64], size: 1 },
    { name: 'classifier', count: [14, 15], leaky: 'mish', dims: [1, 3, 48, 192] },
    { name: 'embedding', count: [19, 19], leaky: 'mixture', dims: [1, 76, 32, 1] },
    { name: 'embedding', count: [19, 19], leaky: 'mish', dims: [1, 76, 32, 1] },
    { name: 'timer', count: [2, 3], leaky: 'mish', dims: [1, 34, 96] },
  ] as const;
  test.each(cases)('$name, $leaky: $count', async ({ name, count, leaky, dims, ...rest }) => {
    const source = bytesOf(REAL_MODELS[name]);
    const [input] = (await inspect(source)).inputs;
    const elements = dims.reduce((product: number, dim) => product * dim, 1);
    const feeds = { [input?.name ?? '']: f32(noise(elements), dims) };
    const size = 'size' in rest ? rest.size : undefined;
    // One that is no power of two for the smallest, and for all of them by `npm run test:heavy`.
    for (const beta of isHeavy || name === 'timer' ? [4, 3] : [4]) {
      const { fold, bytes } = await folded(source, { beta, leaky, form: 'exp' }, feeds, size);
      expect([fold.folded.length, fold.folded.length + fold.kept.length]).toEqual(count);
      if (beta !== 4) continue;
      // Every weight that changed did so by a power of two, exactly.
      const after = tensors(bytes);
      for (const [tensor, data] of tensors(source)) {
        const now = after.get(tensor) ?? [];
        const at = data.findIndex((one) => one !== 0);
        const factor = at < 0 ? 1 : (now[at] ?? Number.NaN) / (data[at] ?? 1);
        expect([1, 4, 0.25]).toContain(factor);
        expect(
          now.length === data.length && now.every((one, index) => one === (data[index] ?? 0) * factor),
        ).toBe(true);
      }
    }
  });
});
