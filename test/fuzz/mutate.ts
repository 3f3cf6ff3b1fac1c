// Ways to break a model that know what a model is.
import { int, len, varint } from '../support/wire.js';
import { branch, countOf, encode, join, leaf, type Part, partAt, replaceAt } from './tree.js';

/** One change: which, where, and two numbers of which it makes what it likes. */
export type Change = readonly [kind: number, at: number, a: number, b: number];

const utf8 = new TextEncoder();
const pick = <T>(list: readonly [T, ...T[]], at: number): T => list[at % list.length] ?? list[0];

/** Numbers at which something ends. */
const NUMBERS: readonly [bigint, ...bigint[]] = [
  ...([0n, 1n, 2n, 3n, 7n, 10n, 16n, 18n, 127n, 128n, 255n, 65535n] as const),
  ...[2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n],
  ...[2n ** 62n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n - 2n, 2n ** 64n - 9n],
];

/** Operators that the code asks for by name. */
const OPERATORS: readonly [string, ...string[]] = [
  ...(['Relu', 'LeakyRelu', 'PRelu', 'Elu', 'HardSwish', 'Clip', 'Softplus', 'Tanh', 'Mul', 'Mish'] as const),
  ...['Exp', 'Add', 'Div', 'If', 'Loop', 'Scan', 'Cast', 'CastLike', 'Constant', 'Identity', 'Reshape'],
  ...['QuantizeLinear', 'FusedConv', 'Conv', 'Gemm', 'MatMul', 'LSTM', 'Split', 'Where', 'F'],
];

const TEXTS: readonly [string, ...string[]] = [
  ...(['', 'x', 'y', 'alpha', 'value', 'then_branch', 'body', 'activation', 'ai.onnx', 'local'] as const),
  ...['\0', 'a\0b', 'é', 'e\u0301', '\ufffd', '\ud800', '__proto__', 'constructor', 'toString', '../x'],
  ...['x'.repeat(300), '\u202e', '*', '(a+)+$', 'onnx-mish', 'onnx-mish.undo', 'location', 'offset'],
];

/** Records as somebody would forge them. */
const RECORDS: readonly [string, ...string[]] = [
  ...(['', 'null', '[]', '{', '{"operations":null}', '{"operations":[null,{"operation":"swap"}]}'] as const),
  ...['{"v":1,"size":0,"check":2166136261,"edits":[]}', '{"v":1,"size":1e308,"check":0,"edits":[]}'],
  ...[
    '{"v":1,"size":9,"check":0,"edits":[[0,9,"!"]]}',
    '{"v":1,"size":99,"check":0,"edits":[[9e15,9e15,""]]}',
  ],
  ...['{"v":1,"size":40,"check":2166136261,"edits":[[5,0,"AAAA"],[0,0,"AAAA"]]}', '[['.repeat(200)],
];

const number = (value: bigint): Uint8Array => {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
};

const text = (field: number, value: string): Part => leaf(field, 2, utf8.encode(value));

/** Something in place of a field. */
type Replace = (
  part: Part,
  a: number,
  b: number,
  all: readonly Part[],
  donor: readonly Part[],
) => readonly Part[];

const from = (parts: readonly Part[], at: number) => partAt(parts, at % Math.max(1, countOf(parts)));

const REPLACE: readonly [Replace, ...Replace[]] = [
  () => [],
  (part) => [part, part],
  (part, a) => Array.from({ length: 2 + (a % 40) }, () => part),
  (part, a, _, __, donor) => [from(donor, a) ?? part],
  (part, a, _, __, donor) => [part, from(donor, a) ?? part],
  (part, a, _, all) => [from(all, a) ?? part],
  (part, a, _, all) => [part, from(all, a) ?? part],
  // The same message from elsewhere, under the number that it has here.
  (part, a, _, all) => [renumbered(from(all, a) ?? part, part.number)],
  (part, a) => [leaf(part.number, 0, number(pick(NUMBERS, a)))],
  (part, a) => [part.parts === undefined ? leaf(part.number, 0, number(pick(NUMBERS, a))) : part],
  (part, a) => [text(part.number, pick(TEXTS, a))],
  (part, a, _, all) => [leaf(part.number, 2, from(all, a)?.body ?? part.body)],
  (part, a) => [renumbered(part, 1 + (a % 30))],
  (part, a) => [leaf(part.number, pick([0, 1, 2, 3, 4, 5, 6, 7], a), part.body)],
  (part) => [rebuilt(part, [...(part.parts ?? [])].reverse())],
  (part, a, b) => [lying(part, a, b)],
  // A node or a scope becomes part of itself, or of what is in it.
  (part, a) => [nested(part, 1 + (a % 5))],
  (part, a) => [part, rebuilt(part, [...(part.parts ?? []), text(4, pick(OPERATORS, a))])],
  (part, a) => [rebuilt(part, [...(part.parts ?? []), text(4, pick(OPERATORS, a))])],
  (part, a, b) => [rebuilt(part, [...(part.parts ?? []), text(1 + (a % 3), pick(TEXTS, b))])],
  (part, a) => [part, { ...leaf(0, 2, part.body), bytes: unknown(a) }],
  (part, a, b) => [
    part,
    branch(14, 'entry', [text(1, a % 3 === 0 ? 'onnx-mish' : 'onnx-mish.undo'), text(2, pick(RECORDS, b))]),
  ],
  (part, a) => [
    rebuilt(part, [...(part.parts ?? []), branch(8, 'opset', [leaf(2, 0, number(pick(NUMBERS, a)))])]),
  ],
];

function renumbered(part: Part, field: number): Part {
  if (part.message === undefined) return leaf(field, part.wire, part.body);
  return branch(field, part.message, part.parts ?? []);
}

function rebuilt(part: Part, parts: readonly Part[]): Part {
  return part.message === undefined ? part : branch(part.number, part.message, parts);
}

/** A length that is not that of what follows. */
function lying(part: Part, a: number, b: number): Part {
  const lie = Math.max(0, part.body.length + (a % 2 === 0 ? 1 : -1) * (1 + (b % 70)));
  const claimed = b % 7 === 0 ? (NUMBERS[a % NUMBERS.length] ?? 0n) : BigInt(lie);
  const head = [...varint(part.number * 8 + 2), ...number(claimed)];
  return { ...leaf(part.number, 2, part.body), bytes: join([Uint8Array.from(head), part.body]) };
}

function nested(part: Part, times: number): Part {
  let inner = part;
  for (let time = 0; time < times; time++) {
    if (inner.message === 'node') {
      const graph = branch(6, 'graph', [inner, inner]);
      const attribute = branch(5, 'attribute', [text(1, 'then_branch'), graph]);
      inner = rebuilt(inner, [...(inner.parts ?? []), attribute, text(4, 'If')]);
    } else inner = rebuilt(inner, [...(inner.parts ?? []), inner]);
    if (inner.bytes.length > 4000) break;
  }
  return inner;
}

/** A field that nobody knows: a group, a large number, an empty one. */
function unknown(a: number): Uint8Array {
  const group = [...varint(200 * 8 + 3), ...int(7, a), ...varint(200 * 8 + 4)];
  return Uint8Array.from(
    pick([group, len(300, 'x'), int(400, a), varint(a), [...varint(500 * 8 + 5), 1, 2, 3, 4]], a),
  );
}

/** Something done to the bytes as they are, whatever they mean. */
type Garble = (bytes: Uint8Array, at: number, a: number, b: number) => Uint8Array;

const GARBLE: readonly [Garble, ...Garble[]] = [
  (bytes, at) => bytes.subarray(0, at),
  (bytes, at, a) => join([bytes.subarray(0, at), Uint8Array.of(a % 256), bytes.subarray(at + 1)]),
  (bytes, at, a) =>
    join([bytes.subarray(0, at), Uint8Array.of((bytes[at] ?? 0) ^ (1 << (a % 8))), bytes.subarray(at + 1)]),
  (bytes, at, a) => join([bytes.subarray(0, at), bytes.subarray(at + 1 + (a % 20))]),
  (bytes, at, a, b) =>
    join([bytes.subarray(0, at), new Uint8Array(1 + (a % 20)).fill(b % 256), bytes.subarray(at)]),
];

/** How many kinds of changes there are. */
export const KINDS = REPLACE.length + GARBLE.length;
const LARGEST = 256 * 1024;

/** The bytes of a model after these changes; `donor` lends fields. */
export function mutate(
  model: readonly Part[],
  donor: readonly Part[],
  changes: readonly Change[],
): Uint8Array {
  let parts = model;
  for (const [kind, at, a, b] of changes) {
    const replace = REPLACE[kind];
    const count = countOf(parts);
    if (replace === undefined || count === 0) continue;
    const all = parts;
    const next = replaceAt(parts, at % count, (part) => replace(part, a, b, all, donor));
    if (next.reduce((sum, { bytes }) => sum + bytes.length, 0) <= LARGEST) parts = next;
  }
  let bytes = encode(parts);
  for (const [kind, at, a, b] of changes) {
    if (kind < REPLACE.length) continue;
    bytes = pick(GARBLE, kind - REPLACE.length)(bytes, at % Math.max(1, bytes.length), a, b);
  }
  return bytes;
}
