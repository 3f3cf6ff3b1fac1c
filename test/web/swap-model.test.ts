import { describe, expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { sha256 } from '../../src/base/sha256.js';
import { seededFeeds } from '../../src/data/dataset.js';
import { sampleDoubt } from '../../src/data/sample-doubt.js';
import { REPLACEMENTS } from '../../src/mish/activation-kinds.js';
import { inspectDocument } from '../../src/mish/inspect-document.js';
import type { Inspection } from '../../src/mish/inspection.js';
import { swap } from '../../src/mish/swap.js';
import { getProvider } from '../../src/node/provider-by-name.js';
import { modelFromBytes } from '../../src/providers/loaded-model.js';
import { inspectionFor, readModel, swapModel } from '../../src/web/workbench/engine/model.js';
import { inspected, loadModel } from '../../src/web/workbench/engine/sent.js';
import { siteGraph } from '../../src/web/workbench/engine/site-graph.js';
import { histogramOf } from '../../src/web/workbench/engine/site-histogram.js';
import { externalModel } from '../support/external.js';
import { tempFolder } from '../support/folder.js';
import { model, node, value } from '../support/model.js';
import { both, EXPRESSIONS } from '../support/outside-numbers.js';
import { withoutDigest } from '../support/record.js';
import { spell } from '../support/spellings.js';

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
    const opened = await readModel(file, []);
    const { sites } = await inspectionFor(opened, to);
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
    const opened = await readModel(file, []);
    const { document } = opened;
    const inspection = await inspectionFor(opened, to);
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

describe('files of external data', () => {
  const blob = (text: string) => new Blob([text]);
  const give = async (locations: readonly [string, ...string[]], names: readonly string[]) => {
    const bytes = externalModel(...locations) as Uint8Array<ArrayBuffer>;
    const files = names.map((name) => ({ name, blob: blob(name) }));
    const { external, missing } = await readModel({ name: 'net.onnx', blob: new Blob([bytes]) }, files);
    const taken = [...external].map(async ([location, file]) => [location, await file.text()]);
    return { taken: Object.fromEntries(await Promise.all(taken)), missing };
  };

  test.each<[readonly [string, ...string[]], readonly string[], object, readonly string[]]>([
    [['w.bin'], ['w.bin'], { 'w.bin': 'w.bin' }, []],
    [['a/w.bin'], ['w.bin'], { 'a/w.bin': 'w.bin' }, []],
    [['a/w.bin'], ['net/b/w.bin', 'net/a/w.bin'], { 'a/w.bin': 'net/a/w.bin' }, []],
    [['a/w.bin', 'b/w.bin'], ['w.bin'], {}, ['a/w.bin', 'b/w.bin']],
    [
      ['a/w.bin', 'b/w.bin'],
      ['net/a/w.bin', 'net/b/w.bin'],
      { 'a/w.bin': 'net/a/w.bin', 'b/w.bin': 'net/b/w.bin' },
      [],
    ],
    [['w.bin', 'a/w.bin'], ['w.bin', 'a/w.bin'], { 'w.bin': 'w.bin', 'a/w.bin': 'a/w.bin' }, []],
  ])('of the model with %j among %j are not mixed up', async (locations, names, taken, missing) => {
    expect(await give(locations, names)).toEqual({ taken, missing });
  });

  test('tell as much as numbers in the model', async () => {
    const open = (bytes: Uint8Array, files: Parameters<typeof readModel>[1] = []) =>
      readModel({ name: 'net.onnx', blob: new Blob([bytes as Uint8Array<ArrayBuffer>]) }, files);
    const found = ({ sites, mish, notes }: Inspection) => ({
      ...{ mish: mish.length, notes },
      sites: sites.map(({ kind, output }) => `${kind} ${output}`),
    });
    let known = 0;
    for (const expression of EXPRESSIONS) {
      const parts = spell(expression, { type: 'f32', opset: 17, random: createRandom(3), vary: false });
      const { inside, outside, data } = both(parts);
      const blob = new Blob([data]);
      const given = await open(outside, [{ name: 'm.data', blob }]);
      const plain = await open(inside);
      const sent = { name: 'net.onnx', blob: new Blob([outside as Uint8Array<ArrayBuffer>]) };
      const { document } = await loadModel(sent, [['m.data', blob]]);
      for (const to of [undefined, 'relu'] as const) {
        const expected = found(await inspectionFor(plain, to));
        known += expected.sites.length + expected.mish;
        expect(found(await inspectionFor(given, to)), JSON.stringify(expression)).toEqual(expected);
        expect(found(await inspectDocument(document, { to }))).toEqual(expected);
      }
    }
    expect(known).toBeGreaterThan(3);
  });

  test('are read for the doubt about pixels, where they have the variance of a normalisation', async () => {
    const folder = await tempFolder();
    const norm = ['scale', 'bias', 'mean', 'variance'];
    const at = (name: string) => ({
      ...{ name, dataType: 1, dims: [1], dataLocation: 1 },
      externalData: [
        { key: 'location', value: 'w.bin' },
        { key: 'offset', value: String(4 * norm.indexOf(name)) },
        { key: 'length', value: '4' },
      ],
    });
    const bytes = model({
      nodes: [node('BatchNormalization', ['x', ...norm], ['n']), node('Relu', ['n'], ['y'])],
      inputs: [value('x', 1, ['N', 1, 4, 4])],
      outputs: [value('y', 1, ['N', 1, 4, 4])],
      initializers: norm.map(at),
    });
    const weights = new Uint8Array(Float32Array.of(1, 0, 0.5, 0.08).buffer);
    await folder.write('w.bin', weights);
    const session = await getProvider('cpu').open(await folder.write('net.onnx', bytes));
    const sent = { name: 'net.onnx', blob: new Blob([bytes as Uint8Array<ArrayBuffer>]) };
    const { model: loaded, info } = await inspected(sent, [['w.bin', new Blob([weights])]]);
    expect(info.sha256).toBe(await sha256(bytes));
    const x = { elemType: 'f32', dims: [16, 1, 4, 4], data: Float32Array.from({ length: 256 }, (_, i) => i) };
    const doubt = await sampleDoubt(
      loaded,
      { source: 'npz', feeds: [{ x }] },
      { provider: getProvider('cpu') },
      session,
    );
    expect(doubt?.text).toContain('its batch normalisation expects the spread');
    await session.close();
  });
});
