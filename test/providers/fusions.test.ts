import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { nodeProvider } from '../../src/providers/node/provider.js';
import type { RunnableModel } from '../../src/providers/provider.js';
import { swapped } from '../support/graph.js';
import { feeds, generated, isOptimisedAway, modelOf, plain } from '../support/padded-models.js';
import { run } from '../support/run.js';

const folder = await mkdtemp(join(tmpdir(), 'onnx-mish-fusions-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const cpu = nodeProvider('cpu');

/** The results and the notes of a session of ours. */
async function opened(model: RunnableModel) {
  const session = await cpu.open(model);
  try {
    const { dims, data } = feeds.x;
    const outputs = await session.run({ x: { elemType: 'f32', dims, data: Float32Array.from(data) } });
    const values = Object.entries(outputs).map(([name, tensor]) => [
      name,
      Array.from(tensor.data as ArrayLike<number | bigint>, Number),
    ]);
    return { outputs: Object.fromEntries(values) as Record<string, number[]>, notes: session.notes ?? [] };
  } finally {
    await session.close();
  }
}

test('a session computes what the file says, and says what it left out of ONNX Runtime', async () => {
  let told = 0;
  await fc.assert(
    fc.asyncProperty(generated, fc.boolean(), async (parts, isSwapped) => {
      const original = modelOf(parts);
      const model = isSwapped ? (await swapped(original, { form: 'exp' })).bytes : original;
      const [right, { outputs, notes }] = [await run(model, feeds), await opened(model)];
      for (const [name, values] of Object.entries(right))
        values.forEach((value, at) => {
          if (Math.abs(value - (outputs[name]?.[at] ?? Number.NaN)) > 1e-5)
            expect(outputs[name]).toEqual(values);
        });
      if (await isOptimisedAway(model)) {
        expect(notes).toEqual([expect.stringContaining('Pad_Fusion')]);
        told++;
      }
    }),
    { numRuns: 60, seed: 7 },
  );
  expect(told).toBeGreaterThan(5);
});

test('a model that the fusion does not change keeps it, from a file and from memory', async () => {
  const original = modelOf(plain);
  const { bytes } = await swapped(original, { form: 'exp' });
  for (const [name, model, count] of [
    ['original.onnx', original, 0],
    ['swapped.onnx', bytes, 1],
  ] as const) {
    const path = join(folder, name);
    await writeFile(path, model);
    for (const given of [path, model]) expect((await opened(given)).notes).toHaveLength(count);
  }
});
