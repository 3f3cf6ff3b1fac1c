import fc from 'fast-check';
import { int, len, varint } from './wire.js';

// Models in encodings that are valid and that nobody writes: unknown fields of every wire type at every
// level, over-long varints, fields out of order, singular fields that come twice. The graph makes sense.

/** An unknown field; numbers from 100 up are in no ONNX message. */
const unknown: fc.Arbitrary<number[]> = fc.integer({ min: 100, max: 5000 }).chain((number) =>
  fc.oneof(
    fc.nat().map((value) => int(number, value, value % 3)),
    fc.uint8Array({ maxLength: 12 }).map((bytes) => len(number, bytes, 1, 2)),
    fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => [...varint(number * 8 + 1), ...bytes]),
    fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => [...varint(number * 8 + 5), ...bytes]),
    // A group, which has no length, with a field and a group in it.
    fc
      .nat()
      .map((value) => [
        ...varint(number * 8 + 3),
        ...int(7, value),
        ...varint(9 * 8 + 3),
        ...varint(9 * 8 + 4),
        ...varint(number * 8 + 4),
      ]),
  ),
);

/** Joins fields; `flat` takes ten times as long. */
function joined(fields: readonly number[][]): number[] {
  const bytes: number[] = [];
  for (const field of fields) for (const byte of field) bytes.push(byte);
  return bytes;
}

/** A message of these fields, in this order, with unknown ones strewn in. */
function strewn(fields: readonly number[][]): fc.Arbitrary<number[]> {
  return fc.array(fc.tuple(unknown, fc.nat()), { maxLength: 3 }).map((extras) => {
    const all = [...fields];
    for (const [extra, place] of extras) all.splice(place % (all.length + 1), 0, extra);
    return joined(all);
  });
}

/** The message as a field of the one around it, its tag and length of any valid width. */
const asField = (number: number, message: fc.Arbitrary<number[]>) =>
  fc
    .tuple(message, fc.integer({ min: 0, max: 1 }), fc.integer({ min: 0, max: 2 }))
    .map(([bytes, tagExtra, lengthExtra]) => len(number, bytes, tagExtra, lengthExtra));

const shuffled = (fields: readonly number[][]) =>
  fc.shuffledSubarray([...fields], { minLength: fields.length, maxLength: fields.length });

interface Place {
  readonly depth: number;
  /** Prefix of the value names made here. */
  readonly prefix: string;
  readonly input: string;
}

function node(
  op: string,
  x: string,
  y: string,
  attributes: readonly number[][] = [],
): fc.Arbitrary<number[]> {
  // The operator comes twice sometimes; the last one counts.
  const twice = fc.boolean().map((again) => (again ? [len(4, 'Nonsense'), len(4, op)] : [len(4, op)]));
  const rest = [len(1, x), len(2, y), ...(attributes.length > 0 ? [] : [len(3, `${y}_node`)])];
  return fc
    .tuple(twice, shuffled([...rest, ...attributes]))
    .chain(([ops, others]) => strewn([...others, ...ops]));
}

function alpha(value: number): number[] {
  const bytes = new Uint8Array(Float32Array.of(value).buffer);
  return len(5, [...len(1, 'alpha'), ...varint(2 * 8 + 5), ...bytes, ...int(20, 1)]);
}

/** Nodes in a chain: each reads what the one before it made. */
function chain({
  depth,
  prefix,
  input,
}: Place): fc.Arbitrary<{ nodes: number[][]; output: string; sites: number }> {
  const kinds = ['Relu', 'LeakyRelu', 'Sigmoid', ...(depth < 2 ? ['If'] : [])];
  return fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 4 }).chain((ops) => {
    let x = input;
    let sites = 0;
    const nodes = ops.map((op, index) => {
      const y = `${prefix}${index}`;
      const from = x;
      x = y;
      if (op !== 'If') {
        if (op !== 'Sigmoid') sites++;
        const slope = op === 'LeakyRelu' ? [alpha(0.1 * index)] : [];
        return node(op, from, y, slope).map((bytes) => ({ bytes, sites: 0 }));
      }
      const branch = (name: string) =>
        graph({ depth: depth + 1, prefix: `${y}_${name}_`, input: from }).chain((inner) =>
          strewn([len(1, name), inner.bytes, int(20, 5)]).map((bytes) => ({
            bytes: len(5, bytes),
            sites: inner.sites,
          })),
        );
      return fc.tuple(branch('then_branch'), branch('else_branch')).chain(([yes, no]) =>
        node('If', 'condition', y, [yes.bytes, no.bytes]).map((bytes) => ({
          bytes,
          sites: yes.sites + no.sites,
        })),
      );
    });
    return fc.tuple(...nodes).chain((made) =>
      fc.tuple(...made.map(({ bytes }) => asField(1, fc.constant(bytes)))).map((fields) => ({
        nodes: fields as number[][],
        output: x,
        sites: sites + made.reduce((sum, one) => sum + one.sites, 0),
      })),
    );
  });
}

/** A nested graph as field `g` of an attribute, sometimes in two parts that protobuf merges. */
function graph(place: Place): fc.Arbitrary<{ bytes: number[]; sites: number }> {
  return fc.tuple(chain(place), fc.boolean()).chain(([{ nodes, output, sites }, split]) => {
    const end = [len(12, len(1, output))];
    const at = split ? Math.ceil(nodes.length / 2) : nodes.length;
    const parts = [nodes.slice(0, at), [...nodes.slice(at), ...end]];
    return fc
      .tuple(...parts.map((part) => asField(6, strewn(part))))
      .map((fields) => ({ bytes: joined(fields), sites }));
  });
}

export interface ArbitraryModel {
  readonly bytes: Uint8Array;
  /** How many ReLU and LeakyReLU nodes it has, at any depth. */
  readonly sites: number;
}

/** A whole model: float32 input `x`, bool input `condition`, nodes with nested graphs, sometimes in two graph fields. */
export const arbitraryModel: fc.Arbitrary<ArbitraryModel> = fc
  .tuple(chain({ depth: 0, prefix: 'v', input: 'x' }), fc.boolean(), fc.uint8Array({ maxLength: 40 }))
  .chain(([{ nodes, output, sites }, split, weights]) => {
    const type = (elemType: number) => len(2, len(1, [...int(1, elemType), ...len(2, len(1, int(1, 2)))]));
    const input = (name: string, elemType: number) => len(11, [...len(1, name), ...type(elemType)]);
    const tensor = len(5, [...int(1, weights.length), ...int(2, 2), ...len(8, 'w'), ...len(9, weights)]);
    const inputs = [input('x', 1), input('condition', 9), tensor];
    const outputs = [len(12, [...len(1, output), ...type(1)]), len(2, 'g')];
    const at = split ? Math.floor(nodes.length / 2) : 0;
    const parts = split
      ? [
          [...inputs, ...nodes.slice(0, at)],
          [...nodes.slice(at), ...outputs],
        ]
      : [[...inputs, ...nodes, ...outputs]];
    const head = [
      int(1, 8, 2),
      len(8, [...len(1, ''), ...int(2, 18)]),
      len(14, [...len(1, 'key'), ...len(2, 'value')]),
    ];
    return fc
      .tuple(shuffled(head), fc.tuple(...parts.map((part) => asField(7, strewn(part)))))
      .chain(([before, graphs]) => strewn([...before, ...(graphs as number[][])]))
      .map((bytes) => ({ bytes: Uint8Array.from(bytes), sites }));
  });
