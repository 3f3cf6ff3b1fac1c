import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { nodeProvider } from '../../src/providers/node/provider.js';
import type { Provider } from '../../src/providers/provider.js';
import { createTrainer } from '../../src/train/index.js';
import { isHeavy } from '../support/heavy.js';
import { floats, model, node, value } from '../support/model.js';

setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;

const [IN, WIDTH] = [64, 128];
/** Bytes of a copy of the state: a weight, and the two means of Adam. */
const STATE_BYTES = IN * WIDTH * 3 * 4;

/** Returns the bytes of the heap and of arrays that are in use. */
function usedBytes(): number {
  for (let pass = 0; pass < 3; pass++) collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** A provider that counts its open sessions. */
function counted(): { provider: Provider; open: () => number } {
  const cpu = nodeProvider('cpu');
  let count = 0;
  return {
    open: () => count,
    provider: {
      ...cpu,
      async open(given, options) {
        const session = await cpu.open(given, options);
        count++;
        const close = async () => {
          count--;
          await session.close();
        };
        return { ...session, close };
      },
    },
  };
}

/** Four measurements are made, at every fourth part. */
const EPOCHS = isHeavy ? 200 : 60;

test(`Memory and the number of sessions stay the same over ${EPOCHS} epochs with validation`, async () => {
  const bytes = model({
    nodes: [node('MatMul', ['x', 'w'], ['h']), node('Relu', ['h'], ['r']), node('MatMul', ['r', 'v'], ['y'])],
    initializers: [
      floats(
        'w',
        [IN, WIDTH],
        Array.from({ length: IN * WIDTH }, (_, at) => Math.sin(at)),
      ),
      floats(
        'v',
        [WIDTH, 2],
        Array.from({ length: 2 * WIDTH }, (_, at) => Math.cos(at)),
      ),
    ],
    inputs: [value('x', 1, ['N', IN])],
    outputs: [value('y', 1, ['N', 2])],
  });
  const data = Float32Array.from({ length: 32 * IN }, (_, at) => Math.sin(at * at));
  const samples = {
    inputs: { x: { elemType: 'f32', dims: [32, IN], data } },
    targets: Array.from({ length: 32 }, (_, at) => at % 2),
  };
  const { provider, open } = counted();
  const trainer = await createTrainer(bytes, {
    ...{ ...samples, validation: samples, epochs: EPOCHS, batch: 16, rate: 1e-5, provider },
    session: { threads: 1 },
  });
  const used: number[] = [];
  const sessions = new Set<number>();
  for await (const { epoch } of trainer) {
    sessions.add(open());
    if (epoch % (EPOCHS / 4) !== 0) continue;
    trainer.checkpoint();
    used.push(usedBytes());
  }
  await trainer.close();
  expect(trainer.epochs).toHaveLength(EPOCHS);
  expect([...sessions]).toEqual([1]);
  expect(open()).toBe(0);
  const [early = 0, , , late = Infinity] = used;
  // A tenth of what copies of the state would take in 150 epochs, and a third in 45.
  expect(late - early).toBeLessThan(15 * STATE_BYTES);
});
