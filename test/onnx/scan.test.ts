import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { opsetOf } from '../../src/onnx/document.js';
import { scan } from '../../src/onnx/scan.js';
import { arbitraryModel } from '../support/arbitrary-model.js';
import { fileLike, summary } from '../support/document.js';
import { floats, model, modelProto, node, value } from '../support/model.js';
import { int, len } from '../support/wire.js';

describe('a file, a buffer and a Blob give the same document', () => {
  test('for any model', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryModel, async ({ bytes }) => {
        const expected = summary(await scan(bytes));
        expect(summary(await scan(fileLike(bytes)))).toEqual(expected);
        expect(summary(await scan(new Blob([bytes as Uint8Array<ArrayBuffer>])))).toEqual(expected);
      }),
      { numRuns: 100, seed: 7 },
    );
  });

  test('wherever the window of 64 KiB ends', async () => {
    // Weights push the nodes behind them across the end of the window, byte by byte.
    const relu = node('LeakyRelu', ['x'], ['y'], { alpha: { f: 0.25 } }, { name: 'the-node' });
    for (let size = 65_300; size < 65_560; size++) {
      const graph = {
        name: 'g',
        initializer: [{ name: 'w', dims: [size], dataType: 2, rawData: new Uint8Array(size) }],
      };
      const parts = [graph, { node: [relu], output: [{ name: 'y' }] }].map((part) =>
        onnx.GraphProto.encode(part).finish(),
      );
      const head = onnx.ModelProto.encode({ irVersion: 8, opsetImport: [{ version: 18 }] }).finish();
      const fields = parts.flatMap((part) => [Uint8Array.of(0x3a, ...encodeLength(part.length)), part]);
      const { graph: found } = await scan(fileLike(new Uint8Array(Buffer.concat([head, ...fields]))));
      expect(found.nodes).toMatchObject([
        { name: 'the-node', outputs: ['y'], attributes: [{ name: 'alpha', f: 0.25 }] },
      ]);
      expect(found.initializers.get('w')).toMatchObject({ dims: [size] });
    }
  });
});

function encodeLength(length: number): number[] {
  return length < 128 ? [length] : [(length & 127) | 128, ...encodeLength(length >> 7)];
}

test('of a model with big weights only a little is read', async () => {
  const weights = Array.from({ length: 8 }, (_, index) => ({
    name: `w${index}`,
    dims: [1_000_000],
    dataType: 1,
    rawData: new Uint8Array(4_000_000),
  }));
  const constant = node('Constant', [], ['c'], {
    value: { tensor: { dims: [500_000], dataType: 1, rawData: new Uint8Array(2_000_000) } },
  });
  const source = fileLike(model({ nodes: [constant, node('Relu', ['x'], ['y'])], initializers: weights }));
  const document = await scan(source);
  expect(document.graph.initializers.size).toBe(8);
  expect(document.graph.nodes).toHaveLength(2);
  expect(source.total()).toBeLessThan(source.size / 30);
  expect(source.largest()).toBeLessThanOrEqual(64 * 1024);
});

describe('the view', () => {
  test('knows names, types, shapes, opsets and metadata', async () => {
    const proto = modelProto({
      opset: 17,
      ir: 9,
      domains: { 'com.microsoft': 1 },
      nodes: [node('Relu', ['x'], ['y'], {}, { name: 'act', domain: 'ai.onnx' })],
      inputs: [value('x', 1, ['N', 4]), value('s', 7)],
      values: [value('h', 10, [2])],
      initializers: [floats('w', [2], [1, 2]), floats('one', [], [3])],
    });
    proto.metadataProps = [{ key: 'k', value: 'v' }];
    proto.producerVersion = '2';
    const document = await scan(onnx.ModelProto.encode(proto).finish());
    expect(document).toMatchObject({
      irVersion: 9,
      producer: 'onnx-mish tests 2',
      metadata: [{ key: 'k', value: 'v' }],
    });
    const { graph } = document;
    expect(opsetOf(graph)).toBe(17);
    expect(graph.opsets.get('com.microsoft')).toBe(1);
    expect(graph.inputs).toMatchObject([
      { name: 'x', elemType: 1, dims: ['N', 4] },
      { name: 's', elemType: 7, dims: undefined },
    ]);
    expect(graph.values.get('h')).toMatchObject({ name: 'h', elemType: 10, dims: [2] });
    expect(graph.initializers.get('w')).toMatchObject({ name: 'w', dims: [2], elemType: 1 });
    expect(graph.initializers.get('one')).toMatchObject({ name: 'one', dims: [], elemType: 1, scalar: 3 });
    expect(graph.nodes).toMatchObject([{ opType: 'Relu', domain: '', name: 'act', index: 0 }]);
  });

  test('names nested graphs by the way to them, and functions by their name', async () => {
    const body = (inner: onnx.INodeProto[], output: string) => ({
      node: inner,
      name: 'b',
      output: [{ name: output }],
    });
    const deep = node('If', ['c'], ['d'], {
      then_branch: { graph: body([node('Relu', ['x'], ['e'])], 'e') },
    });
    const bytes = model({
      nodes: [node('If', ['c'], ['y'], { then_branch: { graph: body([deep], 'd') } }, { name: 'choice' })],
      functions: [
        {
          domain: 'local',
          name: 'Act',
          input: ['a'],
          output: ['b'],
          node: [node('Relu', ['a'], ['b'])],
          opsetImport: [{ version: 16 }],
        },
      ],
    });
    const { scopes, functions } = await scan(bytes);
    expect(scopes.map(({ path }) => path)).toEqual([
      'graph',
      'graph/choice.then_branch',
      'graph/choice.then_branch/If#0.then_branch',
      'function local.Act',
    ]);
    expect(scopes[2]).toMatchObject({
      kind: 'graph',
      parent: scopes[1],
      root: scopes[0],
      nodes: [{ opType: 'Relu' }],
    });
    expect(functions[0]).toMatchObject({
      kind: 'function',
      callee: { domain: 'local', name: 'Act', overload: '' },
    });
    expect(functions[0]?.opsets.get('')).toBe(16);
  });

  test('notes external data wherever it is', async () => {
    const external = (name: string): onnx.ITensorProto => ({
      name,
      dims: [4],
      dataType: 1,
      dataLocation: 1,
      externalData: [
        { key: 'location', value: `${name}.bin` },
        { key: 'offset', value: '16' },
      ],
    });
    const bytes = model({
      nodes: [
        node('Constant', [], ['c'], { value: { tensor: external('inside') } }),
        node('Relu', ['x'], ['y']),
      ],
      initializers: [external('weights')],
    });
    const { external: found } = await scan(bytes);
    expect(found.map(({ tensor, scope }) => [tensor.name, scope, tensor.external?.get('location')])).toEqual([
      ['inside', 'graph', 'inside.bin'],
      ['weights', 'graph', 'weights.bin'],
    ]);
  });

  test('reads repeated numbers packed or not, and merges what comes twice', async () => {
    const tensor = (dims: number[]) => len(5, [...dims, ...int(2, 1), ...len(8, 'w')]);
    const build = (fields: number[]) =>
      Uint8Array.from([
        ...int(1, 3),
        ...int(1, 8),
        ...len(8, int(2, 17)),
        ...len(8, int(2, 18)),
        ...len(7, fields),
      ]);
    const packed = await scan(build(tensor(len(1, [2, 3, 4]))));
    const loose = await scan(build(tensor([...int(1, 2), ...len(1, [3]), ...int(1, 4, 3)])));
    const said = ({ graph }: typeof loose) =>
      [...graph.initializers.values()].map(({ frame, ...rest }) => rest);
    expect(said(loose)).toEqual(said(packed));
    expect(loose.graph.initializers.get('w')?.dims).toEqual([2, 3, 4]);
    expect(packed.irVersion).toBe(8); // of a singular field the last one counts
    expect(opsetOf(packed.graph)).toBe(18); // and of two imports of a domain as well
  });

  test('takes a model of before IR 3, which imports no operator set, for opset 1', async () => {
    const proto = modelProto({ nodes: [node('Relu', ['x'], ['y'])], ir: 2 });
    proto.opsetImport = [];
    expect(opsetOf((await scan(onnx.ModelProto.encode(proto).finish())).graph)).toBe(1);
  });

  test('says when names are not valid UTF-8', async () => {
    const bytes = model({ nodes: [node('Relu', ['x'], ['y'], {}, { name: 'ab' })] });
    const at = Buffer.from(bytes).indexOf('ab');
    bytes[at] = 0xff;
    expect((await scan(bytes)).graph.nodes[0]?.lossyNames).toBe(true);
  });
});
