// What the fuzzer starts from: every model that the tests know, and a few that hold what those lack.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { swap } from '../../src/mish/swap.js';
import { graph, ifNode, LOOP_INITIALIZERS, loopNode, scanNode, scanStart } from '../support/bodies.js';
import { externalModel } from '../support/external.js';
import { floats, model, node, value } from '../support/model.js';
import { BACKEND_TESTS, REAL_MODELS } from '../support/models.js';
import { countOf, encode, type Part, parse, withoutWeights } from './tree.js';

export interface Seed {
  readonly name: string;
  readonly parts: readonly Part[];
}

/** Fields that a model may have and still be mutated thousands of times a second. */
const SMALL = 120;
const LARGEST = 6_000;

/** Small models with what no backend test has: functions, Mish with a sharpness, sparse and external tensors. */
function ours(): [string, Uint8Array][] {
  const relu = (x: string, y: string) => node('Relu', [x], [y], {}, { name: `${y}_act` });
  const local = (name: string, nodes: ReturnType<typeof node>[]) => ({
    ...{ domain: 'local', name, input: ['a'], output: ['b'], node: nodes },
    ...{
      attribute: ['slope'],
      opsetImport: [
        { domain: '', version: 18 },
        { domain: 'local', version: 1 },
      ],
    },
  });
  const call = (name: string, x: string, y: string) => node(name, [x], [y], {}, { domain: 'local' });
  const domains = { local: 1 };
  const cond = value('cond', 9, []);
  const x = value('x', 1, ['N', 4]);
  const conv = floats(
    'w',
    [4, 4],
    Array.from({ length: 16 }, (_, at) => at / 8 - 1),
  );
  return [
    ['chain', model({ nodes: [relu('x', 'h'), node('LeakyRelu', ['h'], ['y'], { alpha: { f: 0.1 } })] })],
    [
      'functions',
      model({
        domains,
        functions: [
          local('F', [node('LeakyRelu', ['a'], ['b'], { alpha: { ref: 'slope', type: 'FLOAT' } })]),
          local('G', [call('F', 'a', 'm'), relu('m', 'b')]),
        ],
        nodes: [call('G', 'x', 'h'), call('F', 'h', 'y')],
      }),
    ],
    [
      'recursion',
      model({
        domains,
        functions: [local('F', [relu('a', 'm'), call('F', 'm', 'b')])],
        nodes: [call('F', 'x', 'y')],
      }),
    ],
    [
      'if',
      model({
        inputs: [x, cond],
        nodes: [ifNode('y', 'out', [relu('x', 'out')], [node('Elu', ['x'], ['out'])])],
      }),
    ],
    [
      'loop',
      model({ nodes: [loopNode('x', 'y', [relu('carried', 'next')])], initializers: LOOP_INITIALIZERS }),
    ],
    [
      'scan',
      model({ nodes: [scanNode('x', 'y', [relu('row', 'mapped')], 4)], initializers: [scanStart(4)] }),
    ],
    [
      'nested',
      model({
        inputs: [x, cond],
        nodes: [
          node('If', ['cond'], ['y'], {
            then_branch: graph(
              't',
              [ifNode('i', 'out', [relu('x', 'out')], [relu('x', 'out')])],
              [],
              [value('i', 1)],
            ),
            else_branch: graph('e', [relu('x', 'o')], [], [value('o', 1)]),
          }),
        ],
      }),
    ],
    [
      'linear',
      model({
        nodes: [node('MatMul', ['x', 'w'], ['h']), relu('h', 'a'), node('MatMul', ['a', 'v'], ['y'])],
        initializers: [conv, { ...conv, name: 'v' }],
      }),
    ],
    [
      'arithmetic',
      model({
        nodes: [relu('x', 'r'), node('Cast', ['r'], ['i'], { to: 7 }), node('Tile', ['x', 'i'], ['y'])],
      }),
    ],
    [
      'quantised',
      model({
        nodes: [
          relu('x', 'r'),
          node('QuantizeLinear', ['r', 's'], ['q']),
          node('DequantizeLinear', ['q', 's'], ['y']),
        ],
        initializers: [floats('s', [], [0.1])],
      }),
    ],
    ['external', externalModel('net.bin', 'more.bin')],
    [
      'half',
      model({
        ...{ inputs: [value('x', 10, [4])], outputs: [value('y', 10, [4])] },
        ...{ nodes: [relu('x', 'h'), node('PRelu', ['h', 's'], ['y'])], values: [value('h', 10, [4])] },
        initializers: [{ name: 's', dataType: 10, dims: [1], int32Data: [0x3800] }],
      }),
    ],
    ['old', model({ opset: 6, ir: 3, nodes: [relu('x', 'y')] })],
  ];
}

function backendModels(): [string, Uint8Array][] {
  if (BACKEND_TESTS === undefined) return [];
  return readdirSync(BACKEND_TESTS, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.onnx'))
    .sort()
    .map((path) => [path, new Uint8Array(readFileSync(join(BACKEND_TESTS ?? '', path)))]);
}

function largeModels(folder: string): [string, Uint8Array][] {
  const own = readdirSync(folder).filter((name) => name.endsWith('.onnx'));
  const paths = [...own.map((name) => join(folder, name)), ...Object.values(REAL_MODELS)];
  return paths.filter((path) => existsSync(path)).map((path) => [path, new Uint8Array(readFileSync(path))]);
}

const FORMS = ['softplus', 'exp', 'native'] as const;

/** The model swapped in each form that it takes, with sharpness and as mixture: what undo and retarget begin with. */
async function swapped(name: string, bytes: Uint8Array): Promise<[string, Uint8Array][]> {
  const found: [string, Uint8Array][] = [];
  for (const form of FORMS) {
    const beta = form === 'exp' ? 2 : 1;
    const leaky = form === 'softplus' ? 'mixture' : 'mish';
    const done = await swap(bytes, { form, beta, leaky }).catch(() => undefined);
    if (done !== undefined && done.report.sites.length > 0)
      found.push([`${name} in ${form}`, await done.output.bytes()]);
  }
  return found;
}

export interface Seeds {
  /** Few fields: what nearly all cases start from. */
  readonly small: readonly Seed[];
  /** Whole networks, without most of their weights. */
  readonly large: readonly Seed[];
}

/** Reads the seeds; `folder` is that of our own models. */
export async function loadSeeds(folder: string): Promise<Seeds> {
  const plain = [...ours(), ...backendModels(), ...largeModels(folder)];
  const small: Seed[] = [];
  const large: Seed[] = [];
  const add = (name: string, bytes: Uint8Array) => {
    const parts = withoutWeights(parse(bytes));
    const isSmall = countOf(parts) <= SMALL && encode(parts).length <= LARGEST;
    (isSmall ? small : large).push({ name, parts });
  };
  for (const [name, bytes] of plain) {
    add(name, bytes);
    if (bytes.length > LARGEST) continue;
    for (const [form, model] of await swapped(name, bytes)) add(form, model);
  }
  return { small, large };
}
