import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nanDoubt } from '../../src/data/nan-doubt.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import type { Tensor } from '../../src/providers/tensor.js';
import { withSession } from '../../src/providers/with-session.js';
import { floats, model, node, value } from '../support/model.js';

const WIDTH = 3;
const zeros = (rows: number): Tensor => ({
  elemType: 'f32',
  dims: [rows, WIDTH],
  data: new Float32Array(rows * WIDTH),
});

/** Adds two inputs, and replaces NaN in their sum if `mends`. */
const sumOf = (mends: boolean) =>
  model({
    nodes: [
      node('Add', ['x', 'z'], ['sum']),
      node('IsNaN', ['sum'], ['is']),
      node('Where', mends ? ['is', 'zero', 'sum'] : ['is', 'sum', 'sum'], ['y']),
    ],
    inputs: [value('x', 1, ['N', WIDTH]), value('z', 1, ['N', WIDTH])],
    outputs: [value('y', 1, ['N', WIDTH])],
    initializers: [floats('zero', [1], [0])],
  });

test.each([false, true])('names the first sample that makes an output NaN; replaced: %s', async (mends) => {
  const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
  const place = fc.tuple(fc.nat(), fc.nat(), fc.constantFrom('x', 'z'));
  await withSession(sumOf(mends), { provider: nodeProvider('cpu') }, (session) =>
    fc.assert(
      fc.asyncProperty(sizes, fc.option(place), async (rows, at) => {
        const feeds = rows.map((count) => ({ x: zeros(count), z: zeros(count) }));
        const doubt = () => nanDoubt(feeds, (feed) => session.run(feed), ['y']);
        if (at === null) {
          expect(await doubt()).toBeUndefined();
          return;
        }
        const [run, element, input] = [at[0] % rows.length, at[1], at[2]];
        const data = feeds[run]?.[input].data as Float32Array;
        data[element % data.length] = Number.NaN;
        const earlier = rows.slice(0, run).reduce((sum, count) => sum + count, 0);
        const sample = earlier + Math.floor((element % data.length) / WIDTH);
        const text = `sample ${sample} of the input '${input}' holds NaN, and so does the original’s output 'y'`;
        if (mends) expect(await doubt()).toBeUndefined();
        else expect((await doubt())?.text).toContain(text);
      }),
      { seed: 15, numRuns: 60 },
    ),
  );
});
