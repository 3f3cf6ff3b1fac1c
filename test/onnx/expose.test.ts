import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { seededFeeds } from '../../src/data/dataset.js';
import { exposeTensors } from '../../src/onnx/expose.js';
import { scan } from '../../src/onnx/scan.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { ints, model, node, value } from '../support/model.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';

const named = (bytes: Uint8Array) => onnx.ModelProto.decode(bytes).graph?.output?.map(({ name }) => name);

const chain = model({
  nodes: [node('Exp', ['x'], ['a']), node('Shape', ['a'], ['s']), node('Relu', ['a'], ['y'])],
  inputs: [value('x', 1, [2])],
  outputs: [value('y', 1, [2])],
});

describe('inner tensors', () => {
  test('become outputs, and nothing else changes', async () => {
    const { model: exposed, outputs } = exposeTensors(await scan(chain), ['a', 's', 'y', 'a']);
    const bytes = await exposed.bytes();
    expect(named(bytes)).toEqual(['y', 'a', 's']);
    expect([...outputs]).toEqual([
      ['y', 'y'],
      ['a', 'a'],
      ['s', 's'],
    ]);
    // Two insertions, and the lengths around them.
    const { nodes, ...before } = { ...onnx.ModelProto.decode(chain).graph, nodes: [], output: [] };
    expect({ ...onnx.ModelProto.decode(bytes).graph, output: [] }).toEqual(
      expect.objectContaining({ ...before, output: [] }),
    );
    expect(nodes).toEqual([]);
  });

  test('are copied by a node of their own, if they are floats and it is asked for', async () => {
    const names = ['a', 's', 'y'];
    const { model: exposed, outputs } = exposeTensors(await scan(chain), names, { copies: true });
    expect(named(await exposed.bytes())).toEqual(['y', 'a/copy', 's']);
    expect(outputs.get('a')).toBe('a/copy');
    const session = await nodeProvider('cpu').open(await exposed.bytes());
    const x = { elemType: 'f32', dims: [2], data: Float32Array.of(-1, 2) };
    const got = await session.run({ x });
    expect(got['a/copy']?.data).toEqual(Float32Array.of(Math.exp(-1), Math.exp(2)));
    expect(got.s?.data).toEqual(BigInt64Array.of(2n));
    await session.close();
  });

  test('get unused names', async () => {
    const clash = model({
      nodes: [node('Relu', ['x'], ['a']), node('Relu', ['a'], ['a/copy']), node('Relu', ['a/copy'], ['y'])],
      inputs: [value('x', 1, [2])],
      outputs: [value('y', 1, [2])],
    });
    const { outputs } = exposeTensors(await scan(clash), ['a', 'a/copy'], { copies: true });
    expect([outputs.get('a'), outputs.get('a/copy')]).toEqual(['a/copy_2', 'a/copy/copy']);
  });

  test('get names that no input, initializer or inner graph has, as PyTorch names the shapes of its views', async () => {
    const shaped = model({
      nodes: [node('Reshape', ['x', 'a/shape'], ['a']), node('Add', ['a', 'a/copy'], ['y'])],
      initializers: [ints('a/shape', [1], [2])],
      inputs: [value('x', 1, [1, 2]), value('a/copy', 1, [2])],
      outputs: [value('y', 1, [2])],
    });
    const feeds = {
      x: { elemType: 'f32', dims: [1, 2], data: Float32Array.of(-1, 2) },
      'a/copy': { elemType: 'f32', dims: [2], data: Float32Array.of(3, 4) },
    };
    for (const options of [{ shapesOf: new Set(['a']) }, { copies: true }]) {
      const { model: exposed, outputs } = exposeTensors(await scan(shaped), ['a'], options);
      const session = await nodeProvider('cpu').open(await exposed.bytes());
      const got = await session.run(feeds);
      expect(got[outputs.get('a') ?? '']?.data).toEqual(
        options.copies ? Float32Array.of(-1, 2) : BigInt64Array.of(2n),
      );
      await session.close();
    }
  });

  test.each(['nothing', '', 'x'])('that no node outputs are refused: %j', async (name) => {
    const document = await scan(chain);
    const said = {
      code: 'bad-data',
      what: `no node of the main graph outputs '${name}'`,
      where: 'model',
      fix: expect.stringContaining('main graph'),
    };
    expect(() => exposeTensors(document, ['a', name])).toThrow(expect.objectContaining(said));
  });

  test.each([false, true])(
    'of a real model leave its outputs what they were (copies: %s)',
    async (copies) => {
      const bytes = bytesOf(REAL_MODELS.timer);
      const document = await scan(bytes);
      const all = document.graph.nodes.flatMap(({ outputs }) => outputs);
      const { model: exposed } = exposeTensors(document, all, { copies });
      const cpu = nodeProvider('cpu');
      const [before, after] = [await cpu.open(bytes), await cpu.open(await exposed.bytes())];
      const [feeds = {}] = seededFeeds(before.inputs, {}).feeds;
      const [want, got] = [await before.run(feeds), await after.run(feeds)];
      expect(Object.keys(got)).toHaveLength(all.length);
      for (const [name, { data }] of Object.entries(want)) expect(got[name]?.data).toEqual(data);
      await Promise.all([before.close(), after.close()]);
    },
  );
});

test('a copy is exact below zero too, and a name that is taken twice over is not taken', async () => {
  const nodes = [
    node('Neg', ['x'], ['a']),
    node('Neg', ['a'], ['a/copy']),
    node('Neg', ['a/copy'], ['a/copy_1']),
    node('Relu', ['a/copy_1'], ['y']),
  ];
  const document = await scan(model({ nodes, inputs: [value('x', 1, [2])], outputs: [value('y', 1, [2])] }));
  const { model: exposed, outputs } = exposeTensors(document, ['a'], { copies: true });
  expect(outputs.get('a')).toBe('a/copy_2');
  const session = await nodeProvider('cpu').open(await exposed.bytes());
  const got = await session.run({ x: { elemType: 'f32', dims: [2], data: Float32Array.of(3, -2) } });
  expect(got['a/copy_2']?.data).toEqual(Float32Array.of(-3, 2));
  await session.close();
});
