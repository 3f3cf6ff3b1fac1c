import { expect, test } from 'vitest';
import type { Spliced } from '../../src/onnx/splice.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import type { Provider } from '../../src/providers/provider.js';
import type { Tensors } from '../../src/providers/tensor.js';
import { triedCure } from '../../src/validate/tried-cure.js';
import { reluModel } from '../support/graph.js';

const vector = (...data: number[]): Tensors => ({
  y: { elemType: 'f32', dims: [data.length], data: Float32Array.from(data) },
});
const model = await modelFromBytes(reluModel());
const cured = new Uint8Array([2]);

/** A provider that gives these outputs for the cured model, and others for the one as it is. */
function provider(given: Tensors | Error, cure?: Provider['cure']): Provider {
  const session = (outputs: Tensors | Error) => ({
    run: async () => {
      if (outputs instanceof Error) throw outputs;
      return outputs;
    },
    close: async () => {},
  });
  const open = async (bytes: string | Uint8Array) => session(bytes === cured ? given : vector(7, 7));
  return {
    name: 'webgl',
    version: '',
    availability: async () => ({ available: true }),
    open,
    cure,
  } as unknown as Provider;
}
const cpu = {
  open: async () => ({ run: async () => vector(1, -4), close: async () => {} }),
} as unknown as Provider;
const remedy = { bytes: async () => cured } as unknown as Spliced;
const cure = async () => ({ model: remedy, name: 'this', option: { form: 'exp' } }) as const;
const tried = (one: Provider) => triedCure(one, cpu, model, vector(0), 1e-3, undefined);

test('a remedy that gives the CPU’s outputs is advised', async () => {
  expect(await tried(provider(vector(1, -4), cure))).toEqual({
    text: 'this makes it right: tried on these samples',
    option: { form: 'exp' },
  });
  expect(await tried(provider(vector(1.003, -4), cure))).toMatchObject({ option: { form: 'exp' } });
});

test.each<[string, Provider]>([
  ['no remedy is known', provider(vector(1, -4))],
  ['it changes nothing', provider(vector(1, -4), async () => undefined)],
  ['it is still wrong', provider(vector(1.01, -4), cure)],
  ['it gives NaN', provider(vector(Number.NaN, -4), cure)],
  ['it gives other dimensions', provider(vector(1, -4, 0), cure)],
  ['it does not run', provider(new Error('no'), cure)],
  ['the remedy itself fails', provider(vector(1, -4), () => Promise.reject(new Error('no')))],
])('nothing is advised where %s', async (_, one) => {
  expect(await tried(one)).toBeUndefined();
});
