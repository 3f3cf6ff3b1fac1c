import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { analyse } from '../../src/onnx/analysis.js';
import { scan } from '../../src/onnx/scan.js';
import { graph } from '../support/bodies.js';
import { model, node, value } from '../support/model.js';
import { BACKEND_TESTS } from '../support/models.js';

const ACTIVATIONS = ['Relu', 'LeakyRelu', 'PRelu', 'Elu', 'HardSwish', 'Mish'];

/** The bytes of a model without value_info, and without the types of its outputs. */
function stripped(bytes: Uint8Array): Uint8Array {
  const proto = onnx.ModelProto.decode(bytes);
  const strip = (graph: onnx.IGraphProto | null | undefined): void => {
    if (graph == null) return;
    graph.valueInfo = [];
    for (const { attribute = [] } of graph.node ?? [])
      for (const { g, graphs } of attribute ?? []) for (const inner of [g, ...(graphs ?? [])]) strip(inner);
  };
  strip(proto.graph);
  for (const output of proto.graph?.output ?? []) output.type = null;
  for (const one of proto.functions ?? []) one.valueInfo = [];
  return Uint8Array.from(onnx.ModelProto.encode(proto).finish());
}

/** The activations of a model whose element type is not known. */
async function unknown(bytes: Uint8Array): Promise<string[]> {
  const document = await scan(bytes);
  const { types } = analyse(document);
  return document.scopes.flatMap((scope) =>
    scope.nodes.flatMap(({ opType, domain, inputs: [x = ''] }) => {
      if (domain !== '' || !ACTIVATIONS.includes(opType)) return [];
      return types.all(scope, x).includes(undefined) ? [`${scope.path} ${x}`] : [];
    }),
  );
}

test('without value_info every activation of the models here has a type, and of the conformance models', {
  timeout: 60_000,
}, async () => {
  const folders = [fileURLToPath(new URL('../../models', import.meta.url)), BACKEND_TESTS];
  const files = folders.flatMap((folder) => {
    const names = folder === undefined ? [] : readdirSync(folder, { recursive: true, encoding: 'utf8' });
    return names.filter((name) => name.endsWith('.onnx')).map((name) => `${folder}/${name}`);
  });
  expect(files.length).toBeGreaterThan(0);
  const found: string[] = [];
  for (const file of files) {
    const bytes = readFileSync(file);
    if (!ACTIVATIONS.some((name) => bytes.includes(name))) continue;
    for (const site of await unknown(stripped(bytes))) found.push(`${file}: ${site}`);
  }
  expect(found).toEqual([]);
});

test('a sequence that a graph takes tells the type of what is taken from it, in a body too', async () => {
  const sequence = (elemType: number) => ({ sequenceType: { elemType: { tensorType: { elemType } } } });
  const body = graph('b', [node('Relu', ['e'], ['r'])], [{ name: 'e' }], [{ name: 'r' }]);
  const bytes = model({
    nodes: [
      node('SequenceMap', ['s'], ['m'], { body }),
      node('SequenceAt', ['m', 'i'], ['a']),
      node('Relu', ['a'], ['c']),
      node('OptionalGetElement', ['o'], ['p']),
      node('ConcatFromSequence', ['p'], ['q'], { axis: 0 }),
      node('Relu', ['q'], ['t']),
    ],
    inputs: [
      { name: 's', type: sequence(10) },
      { name: 'o', type: { optionalType: { elemType: sequence(11) } } },
      value('i', 7, []),
    ],
    outputs: [{ name: 'c' }, { name: 't' }],
  });
  const document = await scan(bytes);
  const { types } = analyse(document);
  const [main, inside] = document.scopes;
  if (main === undefined || inside === undefined) throw new Error('there is no body');
  expect(['a', 'c', 'q', 't', 's', 'm', 'o'].map((name) => types(main, name))).toEqual([
    ...[10, 10, 11, 11],
    ...[undefined, undefined, undefined],
  ]);
  expect(types(inside, 'r')).toBe(10);
});
