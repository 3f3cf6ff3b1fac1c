import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { floatVersion } from '../../../src/calibrate/int8/float-version.js';
import { isDequantizer, isQuantizer } from '../../../src/mish/quantization.js';
import { swap } from '../../../src/mish/swap.js';
import { modelFromBytes } from '../../../src/providers/loaded-model.js';
import { readFashion } from '../../support/fashion.js';
import { f32, run } from '../../support/run.js';

const folder = fileURLToPath(new URL('../../mish/int8/', import.meta.url));
const load = (name: string) => Uint8Array.from(readFileSync(`${folder}${name}.onnx`));
const images = f32([...readFashion('test', 32).images], [32, 1, 28, 28]);

const scores = async (bytes: Uint8Array) => Object.values(await run(bytes, { images }, 'all'))[0] ?? [];

test.each(['u8', 'u8-symmetric', 'u8-with-relu', 'i8', 'i8-symmetric'])(
  '%s: the float version has no quantised tensor, the same sites, and the same outputs up to the roundings',
  async (name) => {
    const original = await modelFromBytes(load(name));
    const { model, quantised } = await floatVersion(original);
    const nodes = model.document.graph.nodes;
    expect(nodes.filter((node) => isQuantizer(node) || isDequantizer(node))).toEqual([]);
    expect(quantised.length).toBeGreaterThan(4);
    const places = async (source: Uint8Array, int8?: 'exact') =>
      (await swap(source, { int8 })).report.sites.map(({ scope, output }) => [scope, output]);
    if (!(model.file instanceof Uint8Array)) throw new Error('the float version is not in memory');
    expect(await places(model.file)).toEqual(await places(load(name), 'exact'));
    const [was, is] = [await scores(load(name)), await scores(model.file)];
    const squares = (values: readonly number[]) => values.reduce((sum, one) => sum + one ** 2, 0);
    const noise = squares(is.map((one, at) => one - (was[at] ?? Number.NaN)));
    expect(noise / squares(was)).toBeLessThan(0.005);
  },
);

test('integers that others read stay quantised', async () => {
  const { document } = await modelFromBytes(load('operators'));
  const before = document.graph.nodes.filter(isQuantizer).length;
  const { model } = await floatVersion(await modelFromBytes(load('operators')));
  expect(model.document.graph.nodes.filter(isQuantizer)).toHaveLength(before);
});
