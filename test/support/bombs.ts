// Models as somebody would build them who wants to break a reader: each grows with `count`, and is built in linear time.
import { len } from './wire.js';

const utf8 = new TextEncoder();

/** A length-delimited field. Not by spreading, as `len` of wire.ts does: these are large. */
export function field(number: number, ...pieces: (Uint8Array | string)[]): Uint8Array {
  const parts = pieces.map((piece) => (typeof piece === 'string' ? utf8.encode(piece) : piece));
  const size = parts.reduce((sum, { length }) => sum + length, 0);
  const head = len(number, new Uint8Array(0));
  head.pop();
  let rest = size;
  for (; rest > 127; rest = Math.floor(rest / 128)) head.push((rest % 128) | 128);
  head.push(rest);
  return Buffer.concat([Uint8Array.from(head), ...parts]);
}

/** A varint field. */
export function number(field: number, value: bigint): Uint8Array {
  const bytes = [...len(field, '').slice(0, -1)];
  bytes[0] = (bytes[0] ?? 0) & ~2; // wire type 0
  let rest = BigInt.asUintN(64, value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

const times = (count: number, piece: (index: number) => Uint8Array): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => piece(index));

/** A node of a graph, or with `inFunction` of a function. */
export function nodeOf(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  ...more: Uint8Array[]
): Uint8Array {
  const names = [...inputs.map((name) => field(1, name)), ...outputs.map((name) => field(2, name))];
  return Buffer.concat([...names, field(4, op), ...more]);
}

const tensorType = (elemType: number, ...dims: bigint[]) =>
  field(2, field(1, number(1, BigInt(elemType)), field(2, ...dims.map((dim) => field(1, number(1, dim))))));
/** A float32 value. */
export const float = (name: string, ...dims: bigint[]) =>
  Buffer.concat([field(1, name), tensorType(1, ...dims)]);

/** A whole model: fields of its graph, and fields beside it. */
export function bombModel(graph: readonly Uint8Array[], beside: readonly Uint8Array[] = []): Uint8Array {
  const opsets = [field(8, number(2, 18n)), field(8, field(1, 'local'), number(2, 1n))];
  return Buffer.concat([number(1, 8n), ...opsets, field(7, Buffer.concat(graph)), ...beside]);
}

const x = field(11, float('x', 4n));
const y = field(12, float('y', 4n));
const graphNode = (...args: Parameters<typeof nodeOf>) => field(1, nodeOf(...args));
const call = (name: string, from: string, to: string) => nodeOf(name, [from], [to], field(7, 'local'));
const localFunction = (name: string, ...nodes: Uint8Array[]) =>
  field(
    25,
    field(1, name),
    field(4, 'a'),
    field(5, 'b'),
    ...nodes.map((one) => field(7, one)),
    field(9, number(2, 18n)),
    field(10, 'local'),
  );
const subgraph = (name: string, graph: Uint8Array) =>
  field(5, field(1, name), field(6, graph), number(20, 5n));

/**
 * Wraps bytes in messages so many times, in linear time; `beside` stands before them in the outermost message but one of
 * each level.
 */
function nest(
  depth: number,
  wrap: readonly number[],
  inner: Uint8Array,
  beside: Uint8Array = new Uint8Array(0),
): Uint8Array {
  // From the inside out each message is its own head; heads are joined at the end.
  const heads: Uint8Array[] = [];
  let size = inner.length;
  const put = (bytes: Uint8Array) => {
    heads.push(bytes);
    size += bytes.length;
  };
  for (let level = 0; level < depth; level++) {
    for (const [index, tag] of wrap.entries()) {
      if (index === wrap.length - 1) put(beside);
      const head = len(tag, '').slice(0, -1);
      let rest = size;
      for (; rest > 127; rest = Math.floor(rest / 128)) head.push((rest % 128) | 128);
      head.push(rest);
      put(Uint8Array.from(head));
    }
  }
  return Buffer.concat([...heads.toReversed(), inner]);
}

/** What each bomb is, by its size. */
export const BOMBS = {
  'graphs nested': (count: number) =>
    bombModel([x, y, nest(count, [6, 5, 1], graphNode('Relu', ['x'], ['y']), field(4, 'If'))]),
  'types nested': (count: number) =>
    bombModel([y, field(11, field(1, 'x'), field(2, nest(count, [1, 4], tensorType(1))))]),
  'empty nodes': (count: number) => bombModel([x, y, Buffer.alloc(2 * count, Uint8Array.of(0x0a, 0))]),
  'tiny nodes': (count: number) => bombModel([x, y, Buffer.alloc(5 * count, field(1, field(4, 'X')))]),
  'empty attributes': (count: number) =>
    bombModel([x, y, field(1, nodeOf('X', ['x'], ['y']), Buffer.alloc(2 * count, Uint8Array.of(0x2a, 0)))]),
  'empty graphs': (count: number) =>
    bombModel([
      x,
      y,
      field(
        1,
        nodeOf('X', ['x'], ['y']),
        field(5, field(1, 'g'), Buffer.alloc(2 * count, Uint8Array.of(0x5a, 0))),
      ),
    ]),
  'a Loop of many bodies': (count: number) => {
    const bodies = Buffer.alloc(2 * count, Uint8Array.of(0x5a, 0));
    const loop = nodeOf('Loop', ['n', 'c', 'r'], ['y'], field(5, field(1, 'body'), bodies));
    return bombModel([x, y, graphNode('Relu', ['x'], ['r']), field(1, loop)]);
  },
  'graphs of one name': (count: number) =>
    bombModel([
      x,
      y,
      field(1, nodeOf('If', ['x'], ['y']), ...times(count, () => subgraph('g', field(2, 'g')))),
    ]),
  'empty functions': (count: number) =>
    bombModel([x, y, graphNode('Relu', ['x'], ['y'])], [Buffer.alloc(3 * count, Uint8Array.of(0xca, 1, 0))]),
  'empty metadata': (count: number) =>
    bombModel([x, y, graphNode('Relu', ['x'], ['y'])], [Buffer.alloc(2 * count, Uint8Array.of(0x72, 0))]),
  'value_info of many names': (count: number) =>
    bombModel([
      x,
      y,
      graphNode('Relu', ['x'], ['y']),
      ...times(count, (index) => field(13, field(1, `v${index}`))),
    ]),
  'a node with many inputs': (count: number) =>
    bombModel([
      x,
      y,
      field(1, field(4, 'Concat'), field(2, 'c'), Buffer.concat(times(count, () => field(1, 'x')))),
      graphNode('Relu', ['c'], ['y']),
    ]),
  'a node with many outputs': (count: number) =>
    bombModel([
      x,
      y,
      field(
        1,
        field(4, 'Split'),
        field(1, 'x'),
        Buffer.concat(times(count, (index) => field(2, `${index}`))),
      ),
      graphNode('Relu', ['0'], ['y']),
    ]),
  sites: (count: number) =>
    bombModel([
      x,
      field(12, float(`${count}`, 4n)),
      ...times(count, (index) => graphNode('Relu', [index === 0 ? 'x' : `${index}`], [`${index + 1}`])),
    ]),
  'sites side by side': (count: number) =>
    bombModel([x, y, ...times(count, (index) => graphNode('Relu', ['x'], [`${index}`]))]),
  'sites in a function': (count: number) =>
    bombModel(
      [x, y, field(1, call('F', 'x', 'y'))],
      [
        localFunction(
          'F',
          ...times(count, (index) =>
            nodeOf('Relu', [index === 0 ? 'a' : `${index}`], [index === count - 1 ? 'b' : `${index + 1}`]),
          ),
        ),
      ],
    ),
  'a chain out of order': (count: number) => {
    // A permutation that sends neighbours far apart, so that no pass over the nodes gets far.
    const step = count % 7919 === 0 ? 7927 : 7919;
    return bombModel([
      x,
      y,
      ...times(count, (at) => {
        const index = (at * step) % count;
        return graphNode('Relu', [index === 0 ? 'x' : `${index}`], [`${index + 1}`]);
      }),
    ]);
  },
  'a cycle': (count: number) =>
    bombModel([
      x,
      y,
      ...times(count, (index) => graphNode('Relu', [`${(index + 1) % count}`], [`${index}`])),
    ]),
  'functions that call each other': (count: number) =>
    bombModel(
      [x, y, field(1, call('F0', 'x', 'y'))],
      times(count, (index) =>
        localFunction(`F${index}`, nodeOf('Relu', ['a'], ['m']), call(`F${(index + 1) % count}`, 'm', 'b')),
      ),
    ),
  'functions in a chain, the last first': (count: number) =>
    bombModel(
      [x, y, field(1, call('F0', 'x', 'y'))],
      times(count, (at) => {
        const index = count - 1 - at;
        const last = index === count - 1;
        return localFunction(
          `F${index}`,
          nodeOf('Relu', ['a'], ['m']),
          last ? nodeOf('Neg', ['m'], ['b']) : call(`F${index + 1}`, 'm', 'b'),
        );
      }),
    ),
  'a function with many inputs, called often': (count: number) =>
    bombModel(
      [
        x,
        y,
        graphNode('Relu', ['x'], ['y']),
        ...times(count, (index) => field(1, call('F', 'x', `${index}`))),
      ],
      [
        field(
          25,
          field(1, 'F'),
          field(5, 'b'),
          ...times(count, (index) => field(4, `a${index}`)),
          field(7, nodeOf('Relu', ['a0'], ['b'])),
          field(9, number(2, 18n)),
          field(10, 'local'),
        ),
      ],
    ),
  'a Loop that calls itself': (count: number) => {
    const inputs = ['i', 'c', 'v'].map((name) => field(11, field(1, name)));
    const outputs = ['c', 'w'].map((name) => field(12, field(1, name)));
    const body = Buffer.concat([
      ...inputs,
      ...outputs,
      field(1, nodeOf('Relu', ['v'], ['r'])),
      field(1, call('F', 'r', 'w')),
    ]);
    const loop = nodeOf('Loop', ['', '', 'a'], ['b'], subgraph('body', body));
    return bombModel(
      [x, y, ...times(count, (index) => field(1, call('F', 'x', index === 0 ? 'y' : `y${index}`)))],
      [localFunction('F', loop)],
    );
  },
  'inputs and constants': (count: number) =>
    bombModel([
      y,
      ...times(count, (index) => field(11, float(`x${index}`, 4n))),
      field(5, field(8, 'b'), number(2, 1n), field(9, Uint8Array.of(0, 0, 0, 64))),
      ...times(count, (index) => graphNode('Mul', [`s${index}`, 'b'], [`m${index}`])),
      ...times(count, (index) => graphNode('Tanh', [`m${index}`], [`s${index + 1}`])),
    ]),
  'a deep nest and many branches in it': (count: number) => {
    const leaves = times(count, () =>
      graphNode('If', ['x'], ['y'], subgraph('then_branch', field(1, nodeOf('Relu', ['x'], ['t'])))),
    );
    return bombModel([x, y, nest(95, [6, 5, 1], Buffer.concat(leaves), field(4, 'If'))]);
  },
  'functions that call the next often': (count: number) =>
    bombModel(
      [x, y, field(1, call('F0', 'x', 'y')), graphNode('Neg', ['x'], ['n'])], // Neg may turn a bound round
      times(12, (index) =>
        localFunction(
          `F${index}`,
          ...(index === 11
            ? [nodeOf('Relu', ['a'], ['b'])]
            : times(count, (at) => call(`F${index + 1}`, 'a', at === 0 ? 'b' : `b${at}`))),
        ),
      ),
    ),
  'copies with many inputs': (count: number) =>
    bombModel([
      x,
      y,
      ...times(4, (level) => {
        const read = Buffer.concat(times(count, () => field(1, level === 0 ? 'x' : `c${level - 1}`)));
        return field(1, field(4, 'Identity'), field(2, `c${level}`), read);
      }),
      graphNode('Sigmoid', ['c3'], ['s']),
      graphNode('Mul', ['c3', 's'], ['y']),
    ]),
  'a Pad in a cycle of copies': (count: number) =>
    bombModel([
      x,
      y,
      graphNode('Relu', ['x'], ['y']),
      graphNode('Pad', ['y', 'pads'], ['0']),
      ...times(count, (index) => graphNode('Identity', [`${index}`], [`${(index + 1) % count}`])),
    ]),
  'a sum of many values': (count: number) =>
    bombModel([
      x,
      y,
      graphNode('Conv', ['x', 'w'], ['c']),
      field(1, field(4, 'Sum'), field(2, 's'), Buffer.concat(times(count, () => field(1, 'x')))),
      graphNode('Relu', ['s'], ['y']),
    ]),
  'one name': (count: number) =>
    bombModel([x, y, ...times(count, () => graphNode('Relu', ['x'], ['y'], field(3, 'act')))]),
  'a long name': (count: number) =>
    bombModel([x, y, graphNode('Relu', ['x'], ['y'], field(3, 'a'.repeat(count)))]),
} as const satisfies Readonly<Record<string, (count: number) => Uint8Array>>;

export type Bomb = keyof typeof BOMBS;
