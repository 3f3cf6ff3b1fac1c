import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { scan } from '../../src/onnx/scan.js';
import { type AttributeValue, floats, model, node } from '../support/model.js';

const name = fc.constantFrom('', 'a', 'b', 'ü', 'a/long/name/of/a/tensor');
const names = fc.array(name, { maxLength: 4 });
// Few of each, so that nodes have the same; some of them too long to be remembered.
const plain: fc.Arbitrary<AttributeValue> = fc.oneof(
  fc.constantFrom(0, 1, -1, 2 ** 40),
  fc.constantFrom({ f: 0.5 }, { f: 0 }),
  fc.constantFrom('SAME_UPPER', '', 'x'.repeat(300)),
  fc.constantFrom<readonly number[]>([1], [1, 1], Array(300).fill(7)),
  fc.constantFrom({ strings: ['a', 'b'] }),
  fc.constantFrom<AttributeValue>({ ref: 'alpha', type: 'FLOAT' }),
);
const tensor = fc.constantFrom<AttributeValue>({ tensor: floats('t', [], [2]) });
const attributes = fc.dictionary(
  fc.constantFrom('p', 'q', 'r'),
  fc.oneof({ weight: 6, arbitrary: plain }, tensor),
);
const nodes = fc.array(
  fc.tuple(
    fc.constantFrom('Relu', 'Conv', 'constructor'),
    names,
    names,
    attributes,
    name,
    fc.constantFrom('', 'ai.onnx', 'local'),
    name,
  ),
  { maxLength: 30 },
);

test('nodes are what the file says, however much of it they share', async () => {
  await fc.assert(
    fc.asyncProperty(nodes, async (parts) => {
      const protos = parts.map(([opType, input, output, given, name, domain, overload]) =>
        node(opType, input, output, given, { name, domain, overload }),
      );
      const { graph } = await scan(model({ nodes: protos, domains: { local: 1 } }));
      expect(graph.nodes).toHaveLength(protos.length);
      for (const [at, [opType, inputs, outputs, , name, domain, overload]] of parts.entries()) {
        const found = graph.nodes[at];
        expect(found).toMatchObject({ opType, inputs, outputs, name, overload, index: at });
        expect(found?.domain).toBe(domain === 'ai.onnx' ? '' : domain);
        expect(found?.attributes).toEqual((protos[at]?.attribute ?? []).map(inOurWords));
      }
    }),
  );
});

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** What the document should say of an attribute; where a tensor lies is looked at elsewhere. */
function inOurWords({ name, type, f = 0, i = 0, s, ints, strings, refAttrName, t }: onnx.IAttributeProto) {
  return {
    ...{ name, type, f, i },
    ...(s?.length ? { s: text(s) } : {}),
    ...(ints?.length ? { ints } : {}),
    ...(strings?.length ? { strings: strings.map(text) } : {}),
    ...(refAttrName ? { ref: refAttrName } : {}),
    ...(t ? { tensor: expect.objectContaining({ name: 't', scalar: 2 }) } : {}),
  };
}

test('tensors that are the same keep their own places', async () => {
  const two = () => node('Constant', [], ['c'], { value: { tensor: floats('', [], [2]) } });
  const { graph } = await scan(model({ nodes: [two(), two()] }));
  const [first, second] = graph.nodes.map(({ attributes }) => attributes[0]?.tensor?.frame);
  expect(second?.start).toBeGreaterThan(first?.end ?? Number.NaN);
});

test('attributes that are too long to be remembered are not taken for each other', async () => {
  const long = [1, 2].map((number) => node('Op', ['x'], ['y'], { p: Array(300).fill(number) }));
  const { graph } = await scan(model({ nodes: [...long, ...long] }));
  expect(graph.nodes.map(({ attributes }) => attributes[0]?.ints?.[0])).toEqual([1, 2, 1, 2]);
});
