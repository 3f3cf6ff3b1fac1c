import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { undo } from '../../src/mish/history.js';
import { retarget } from '../../src/mish/retarget.js';
import { swap } from '../../src/mish/swap.js';
import { scan } from '../../src/onnx/scan.js';
import { BOMBS, type Bomb, bombModel, field, float, nodeOf, number } from '../support/bombs.js';
import { tempFolder } from '../support/folder.js';
import { failure } from '../support/graph.js';
import { isHeavy } from '../support/heavy.js';
import { floats, model, node, value } from '../support/model.js';

const run = promisify(execFile);
const CHILD = fileURLToPath(new URL('../support/bomb-child.js', import.meta.url));

interface Result {
  /** Name, outcome, milliseconds of processor time. */
  readonly steps: readonly (readonly [string, string, number])[];
  readonly ms: number;
  /** Bytes of memory at the most, less those before. */
  readonly peak: number;
}

/** What becomes of models in a process of its own: each inspected, swapped, retargeted, undone. */
async function detonate(bombs: readonly Expectation[], megabytes: number): Promise<Result[]> {
  const folder = await tempFolder();
  const paths = [];
  for (const [index, [name, count]] of bombs.entries())
    paths.push(await folder.write(`${index}.onnx`, BOMBS[name](count)));
  const { stdout } = await run(
    process.execPath,
    [`--max-old-space-size=${megabytes}`, CHILD, 'exp', ...paths],
    { timeout: isHeavy ? 3_600_000 : 120_000 },
  );
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** Of a process that ended before its time. */
const NONE: Result = { steps: [], ms: 0, peak: 0 };

const OK = 'ok';
const NOTHING = 'cannot-undo: the model has no undo record';
const TOO_MANY = /^malformed: the model has more than 8000000 nodes or similar parts$/;
const TOO_DEEP = /^malformed: (graphs are nested more than 100 deep|the message cannot be decoded)$/;
const NO_OPERATOR = /^malformed: it has no operator$/;

/** For each bomb its size, what each step says, and in which time (s, of the processor) and memory (MiB) all four have to. */
type Expectation = readonly [
  bomb: Bomb,
  count: number,
  says: RegExp | string,
  seconds: number,
  mebibytes: number,
];

const EXPECTED: readonly Expectation[] = [
  ['graphs nested', 100_000, TOO_DEEP, 2, 100],
  ['types nested', 100_000, TOO_DEEP, 2, 100],
  ['empty nodes', 10_000_000, NO_OPERATOR, 2, 100],
  ['tiny nodes', 100_000, OK, 10, 300],
  ['empty attributes', 100_000, OK, 10, 300],
  ['empty graphs', 20_000, OK, 20, 400],
  ['a Loop of many bodies', 20_000, OK, 20, 400],
  ['graphs of one name', 10_000, OK, 10, 400],
  ['empty functions', 5_000, OK, 10, 400],
  ['empty metadata', 100_000, OK, 10, 300],
  ['value_info of many names', 50_000, OK, 10, 400],
  ['a node with many inputs', 200_000, OK, 10, 400],
  ['a node with many outputs', 200_000, OK, 10, 400],
  ['sites', 5_000, OK, 20, 400],
  ['sites in a function', 5_000, OK, 20, 500],
  ['sites side by side', 5_000, OK, 20, 500],
  ['a chain out of order', 5_000, OK, 20, 500],
  ['a cycle', 10_000, OK, 10, 400],
  ['functions that call each other', 2_000, OK, 20, 500],
  ['functions in a chain, the last first', 2_000, OK, 20, 500],
  ['a function with many inputs, called often', 10_000, OK, 10, 400],
  ['a Loop that calls itself', 10_000, OK, 10, 400],
  ['inputs and constants', 10_000, OK, 10, 400],
  ['a deep nest and many branches in it', 2_000, OK, 20, 500],
  ['functions that call the next often', 64, OK, 10, 400],
  ['copies with many inputs', 16_000, OK, 10, 400],
  ['a Pad in a cycle of copies', 10_000, OK, 10, 400],
  ['a sum of many values', 1_600_000, OK, 20, 900],
  ['one name', 5_000, OK, 20, 500],
  ['a long name', 1_000_000, OK, 10, 400],
];

/** An eighth of each, in an eighth of its time, unless `npm run test:heavy` runs; what nests keeps its depth. */
const EIGHTHS: readonly Expectation[] = EXPECTED.map(([bomb, count, says, seconds, mebibytes]) => [
  bomb,
  says === TOO_DEEP ? count : count / 8,
  says,
  Math.max(seconds / 8, 2),
  mebibytes,
]);

/** Minutes and gigabytes: `npm run bombs`. */
const HEAVY: readonly Expectation[] = [
  ...EXPECTED,
  ['sites', 1_000_000, /^(ok|bad-usage: the undo record would be larger than 500 MB)$/, 600, 12_000],
  ['tiny nodes', 10_000_000, TOO_MANY, 300, 6_000],
  ['empty graphs', 500_000, TOO_MANY, 30, 1200],
  ['a Loop of many bodies', 140_000, OK, 20, 900],
  [
    'a node with many outputs',
    17_000_000, // elements of lists are counted before they are kept, names among them
    TOO_MANY,
    300,
    1_000,
  ],
];

describe('bombs', () => {
  // Each in a process of its own, or all the small ones in one, those before whose limit of memory is lower.
  const bombs = isHeavy ? HEAVY : EIGHTHS.toSorted((one, other) => one[4] - other[4]);
  let small: Promise<Result[]> | undefined;
  /** What becomes of a bomb; the first that asks sets off all the small ones. */
  async function resultOf(bomb: Expectation): Promise<Result | undefined> {
    if (isHeavy) return (await detonate([bomb], 12_000))[0];
    small ??= detonate(bombs, 1024);
    return (await small)[bombs.indexOf(bomb)];
  }

  test.each(bombs.map((bomb) => [bomb[0], bomb[1], bomb] as const))(
    '%s, %d: each step ends, in time and memory',
    async (name, count, bomb) => {
      const [, , says, seconds, mebibytes] = bomb;
      const { steps, ms, peak } = (await resultOf(bomb)) ?? NONE;
      if (isHeavy) console.log(name, count, `${ms} ms`, `${Math.round(peak / 2 ** 20)} MiB`, steps);
      expect(steps.map(([step]) => step)).toEqual(['inspect', 'swap', 'retarget', 'undo']);
      for (const [step, outcome] of steps) {
        if (typeof says === 'string') expect([says, NOTHING], step).toContain(outcome);
        else expect(outcome, step).toMatch(says);
      }
      expect(ms).toBeLessThan(1000 * seconds);
      expect(peak / 2 ** 20).toBeLessThan(mebibytes);
    },
    isHeavy ? 3_600_000 : 180_000,
  );
});

describe('invalid models are swapped, or their sites are skipped with a reason', () => {
  const relu = (x: string, y: string) => node('Relu', [x], [y], {}, { name: `${y}_act` });

  /** Swapped in every form, undone, and gone through once more: gives the report of the exp form. */
  async function through(bytes: Uint8Array) {
    for (const form of ['softplus', 'native', 'exp'] as const) {
      const { output, report } = await swap(bytes, { form });
      const written = await output.bytes();
      expect((await swap(written, { form })).report.sites).toEqual([]);
      const { output: other } = await retarget(written, { form: 'softplus' });
      await scan(await other.bytes());
      if (report.sites.length > 0) expect(await (await undo(written)).bytes()).toEqual(bytes);
      if (form === 'exp') return report;
    }
    throw new Error('no form');
  }

  test('names that differ only in Unicode normalisation are different names', async () => {
    const [one, two] = ['caf\u00e9', 'cafe\u0301'];
    const bytes = model({ nodes: [relu('x', one), relu(one, two), relu(two, 'y')] });
    const { sites } = await through(bytes);
    expect(sites.map(({ output }) => output)).toEqual([one, two, 'y']);
  });

  test('a name that is empty where one is needed', async () => {
    const bytes = model({
      nodes: [relu('', 'a'), relu('x', ''), node('Relu', [], ['b']), node('Relu', ['x'], []), relu('x', 'y')],
      outputs: [value('y', 1), value('', 1)],
      inputs: [value('x', 1), value('', 1)],
      initializers: [floats('', [1], [1])],
    });
    const { sites, skipped } = await through(bytes);
    expect(sites.map(({ output }) => output)).toEqual(['y']);
    expect(skipped.map(({ reason }) => reason)).toEqual(Array(4).fill('malformed'));
  });

  test('duplicate initializers, a value with two producers, and an output without one', async () => {
    const bytes = model({
      nodes: [node('Add', ['x', 'b'], ['h']), relu('h', 'y'), relu('x', 'y')],
      initializers: [floats('b', [1], [1]), floats('b', [1], [2])],
      outputs: [value('y', 1), value('nowhere', 1)],
    });
    expect((await through(bytes)).sites).toHaveLength(2);
  });

  test.each([
    ['2^62 elements', [2 ** 31, 2 ** 31]],
    ['-1', [-1, 4]],
    ['two negative ones, whose product is right', [-4, -1]],
    ['more than a number can be', [2 ** 62, 2 ** 62]],
  ])(
    'a weight with dimensions of %s: the swap leaves it, to fold with it is refused, and takes no memory',
    async (_, dims) => {
      const bytes = model({
        nodes: [node('MatMul', ['x', 'w'], ['h']), relu('h', 'a'), node('MatMul', ['a', 'v'], ['y'])],
        initializers: [{ ...floats('w', [4], [1, 2, 3, 4]), dims }, floats('v', [1], [1])],
      });
      await through(bytes);
      const { report } = await swap(bytes, { beta: 2, fold: true });
      expect(report.fold).toMatchObject({
        folded: [],
        kept: [{ why: expect.stringMatching(/^the tensor 'w' .* holds 16 bytes$/) }],
      });
    },
  );

  test('dimensions of values that are negative or overflow', async () => {
    const huge = field(11, float('x', -1n, 2n ** 63n, 2n ** 62n));
    const bytes = bombModel([
      huge,
      field(12, float('y', -(2n ** 63n))),
      field(1, nodeOf('Relu', ['x'], ['y'])),
    ]);
    expect((await through(new Uint8Array(bytes))).sites).toHaveLength(1);
  });

  test('records nested 100,000 deep count as none, and are not written again', async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    const record = `{"operations":[{"operation":"swap","form":"exp","sites":1,"more":${deep}}]}`;
    const entry = field(14, field(1, 'onnx-mish'), field(2, record));
    const bytes = bombModel(
      [field(11, float('x', 4n)), field(12, float('y', 4n)), field(1, nodeOf('Relu', ['x'], ['y']))],
      [entry],
    );
    expect((await through(new Uint8Array(bytes))).sites).toHaveLength(1);
    const forged = field(14, field(1, 'onnx-mish.undo'), field(2, deep));
    expect(
      await failure(undo(new Uint8Array(bombModel([field(1, nodeOf('Relu', ['x'], ['y']))], [forged])))),
    ).toMatchObject({
      code: 'cannot-undo',
    });
  });

  test('a length of 2^62 for one tensor', async () => {
    const lie = Uint8Array.from([0x4a, ...number(1, 2n ** 62n).slice(1)]); // raw_data, and no data
    const bytes = bombModel([
      field(5, field(8, 'w'), number(2, 1n), lie),
      field(1, nodeOf('Relu', ['x'], ['y'])),
    ]);
    expect(await failure(swap(new Uint8Array(bytes)))).toMatchObject({
      code: 'malformed',
      what: 'a number is longer than 5 bytes',
    });
  });
});
