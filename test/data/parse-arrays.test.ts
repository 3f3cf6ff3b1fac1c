import { expect, test } from 'vitest';
import { sampledFeeds } from '../../src/data/arrays.js';
import { isReadable, parseArrays } from '../../src/data/parse-arrays.js';
import { labelledArrays, splitArrays } from '../../src/finetune/labelled-arrays.js';
import { npy, raw } from '../support/numpy.js';

const inputs = [{ name: 'x', elemType: 'f32', dims: ['N', 2] }];
const good = {
  x: npy('<f4', [3, 2], raw(Float32Array.of(1, 2, 3, 4, 5, 6))),
  y: npy('<i4', [3], raw(Int32Array.of(0, 1, 0))),
};
const BAD = ['<U3', '|S2', '|O', '<c8', '<M8[D]', '>f4', '<f16'];

test.each(BAD)('an array of type %s is an error only where it is used', async (descr) => {
  const bad = npy(descr, [3], new Uint8Array(12));
  for (const name of ['a', 'names', 'z']) {
    const files = Object.entries({ ...good, [name]: bad }).sort(([a], [b]) => (a < b ? -1 : 1));
    const arrays = await parseArrays(new Map(files));
    expect(Object.keys(arrays).filter((key) => !isReadable(arrays[key] ?? expect.fail()))).toEqual([name]);
    expect(sampledFeeds(arrays, inputs, { labels: 'y' }).labels).toEqual([0, 1, 0]);
    const split = splitArrays(arrays, { labels: 'y' });
    expect(labelledArrays(split.inputs, split.targets, inputs).samples).toMatchObject({ count: 3 });
    const error = expect.objectContaining({ code: 'bad-data', where: name });
    expect(() => sampledFeeds(arrays, inputs, { labels: name })).toThrow(error);
    expect(() => splitArrays(arrays, { labels: name })).toThrow(error);
  }
  const error = expect.objectContaining({ code: 'bad-data', where: 'x' });
  const only = await parseArrays(new Map([['x', bad]]));
  expect(() => sampledFeeds(only, inputs, {})).toThrow(error);
  expect(() => labelledArrays(only, [0, 1, 0], inputs)).toThrow(error);
});
