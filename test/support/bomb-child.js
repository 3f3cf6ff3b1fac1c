// Reads models in a process of its own, from dist/, and prints a line of what came of each: node bomb-child.js exp m.onnx …
import { readFileSync } from 'node:fs';
import { inspect, OnnxMishError, retarget, swap, undo } from '../../dist/index.js';

const [, , form, ...paths] = process.argv;
/** Milliseconds that this process has worked: a machine may have other work as well. */
const worked = () => {
  const { user, system } = process.cpuUsage();
  return Math.round((user + system) / 1000);
};
// At the most, whatever the models before took: of several in one process the later ones are measured too high, if at all.
const base = process.memoryUsage().rss;

/** @param {string} name @param {() => Promise<unknown>} work */
async function step(name, work) {
  const start = worked();
  const result = await work().then(
    () => 'ok',
    (error) => (error instanceof OnnxMishError ? `${error.code}: ${error.what}` : `RAW ${error.stack}`),
  );
  return [name, result, worked() - start];
}

for (const path of paths) {
  const bytes = new Uint8Array(readFileSync(path));
  const from = worked();
  /** @type {Uint8Array} */
  let swapped = bytes;
  const steps = [
    await step('inspect', async () => JSON.stringify(await inspect(bytes, { include: ['*a*b*'] }))),
    await step('swap', async () => {
      const { output } = await swap(
        bytes,
        /** @type {import('../../dist/index.js').SwapOptions} */ ({ form }),
      );
      swapped = await output.bytes();
    }),
    await step('retarget', async () => {
      const { output } = await retarget(swapped, { form: 'native', fixRelu: true });
      await output.bytes();
    }),
    await step('undo', async () => {
      const { output } = { output: await undo(swapped) };
      if (Buffer.compare(await output.bytes(), bytes) !== 0) throw new Error('undo gives other bytes');
    }),
  ];
  const peak = process.resourceUsage().maxRSS * 1024 - base;
  console.log(JSON.stringify({ steps, ms: worked() - from, peak, bytes: bytes.length }));
}
