import { describe, expect, test } from 'vitest';
import { seededFeeds } from '../../src/data/dataset.js';
import { REPLACEMENTS } from '../../src/mish/activation-kinds.js';
import { swap } from '../../src/mish/swap.js';
import { getProvider } from '../../src/node/provider-by-name.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { modelFor, readModel, swapModel } from '../../src/web/workbench/engine/model.js';
import { siteGraph } from '../../src/web/workbench/engine/site-graph.js';
import { histogramOf } from '../../src/web/workbench/engine/site-histogram.js';
import { model, node, value } from '../support/model.js';
import { withoutDigest } from '../support/record.js';

/** A ReLU, a LeakyReLU and a Mish in a row. */
const BYTES = model({
  opset: 18,
  nodes: [
    node('Relu', ['x'], ['a'], {}, { name: 'first' }),
    node('LeakyRelu', ['a'], ['b'], { alpha: { f: 0.1 } }, { name: 'second' }),
    node('Mish', ['b'], ['y'], {}, { name: 'third' }),
  ],
  inputs: [value('x', 1, [2, 3])],
  outputs: [value('y', 1, [2, 3])],
});

const file = { name: 'net.onnx', blob: new Blob([BYTES as Uint8Array<ArrayBuffer>]) };
const choice = { form: 'exp', beta: 2, leaky: 'mish' } as const;

describe.each(REPLACEMENTS)('a swap to %s in the workbench', (name) => {
  const to = name === 'mish' ? undefined : name;

  test('lists the sites of the command line, and writes its bytes at all of them or at some', async () => {
    const opened = await modelFor(await readModel(file, []), to);
    const { sites } = opened.inspection;
    const options = to === undefined ? { form: 'exp', beta: 2 } : ({ to } as const);
    const all = await swap(BYTES, options as Parameters<typeof swap>[1]);
    expect(sites.map(({ output }) => output)).toEqual(all.report.sites.map(({ output }) => output));
    const indices = [...sites.keys()];
    for (const chosen of [indices, indices.slice(-1)]) {
      const swapped = await swapModel(opened, { ...choice, ...(to && { to }), sites: chosen });
      expect(swapped.name).toBe(`net.${name}.onnx`);
      const include = chosen.map((index) => sites[index]?.output ?? '');
      const expected = await swap(BYTES, { ...options, include } as Parameters<typeof swap>[1]);
      const bytes = withoutDigest(new Uint8Array(await swapped.blob.arrayBuffer())); // a page reads no weights
      expect(bytes.equals(withoutDigest(await expected.output.bytes()))).toBe(true);
    }
  });

  test('the graph and the histogram are those of the listed site', async () => {
    const { document, inspection } = await modelFor(await readModel(file, []), to);
    const loaded = await modelFromBytes(BYTES, 'net.onnx');
    for (const [index, { output }] of inspection.sites.entries()) {
      const site = (await siteGraph(document, index, to)).nodes.find(({ isSite }) => isSite);
      expect(site?.outputs.map((one) => one.name)).toEqual([output]);
      const data = (inputs: Parameters<typeof seededFeeds>[0]) => seededFeeds(inputs, { count: 2 });
      const { counts } = await histogramOf(loaded, { site: index, to }, getProvider('cpu'), data);
      expect(counts.reduce((sum, count) => sum + count)).toBe(12);
    }
  });
});
