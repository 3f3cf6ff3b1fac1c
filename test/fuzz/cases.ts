// Cases as fast-check draws and shrinks them: a seed, and a few changes to it.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { zipSync } from 'fflate';
import { npy, raw } from '../support/numpy.js';
import { type Case, operationOf } from './check.js';
import { type Change, KINDS, mutate } from './mutate.js';
import type { Seeds } from './seeds.js';
import { leaf } from './tree.js';

/** What a case is made from; shrinking takes changes away and makes numbers smaller. */
export interface Draft {
  readonly target: number;
  readonly seed: number;
  readonly donor: number;
  readonly choice: number;
  readonly changes: readonly Change[];
}

const nat = fc.nat(2 ** 31 - 1);

export const drafts: fc.Arbitrary<Draft> = fc.noBias(
  fc.record({
    target: fc.nat(99),
    ...{ seed: nat, donor: nat, choice: nat },
    changes: fc.array(fc.tuple(fc.nat(KINDS - 1), nat, nat, nat), { maxLength: 6 }),
  }),
);

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

const PLAN = {
  ...{ schema: 'onnx-mish/plan@1', form: 'exp', beta: 1 },
  ...{ sites: [{ scope: 'graph', output: 'y', beta: 2, leak: 0.1 }], skipped: [] },
};

const ARRAY = npy('<f4', [2, 3], raw(Float32Array.of(0, 1, 2, 3, 4, 5)), true);
const ARRAYS = [
  ARRAY,
  npy('|b1', [1], Uint8Array.of(1)),
  npy('<i8', [], new Uint8Array(8)),
  npy('|O', [1], new Uint8Array(8)),
];
const ZIPS = [0, 6].map((level) =>
  zipSync({ 'x.npy': ARRAY, 'y.npy': ARRAYS[1] ?? ARRAY }, { level: level as 0 | 6 }),
);

/** The n-th value of a document, replaced by something that JSON can hold and nobody expects. */
function changedJson(value: unknown, changes: readonly Change[]): unknown {
  const odd = [
    null,
    0,
    -1,
    1e308,
    '',
    'x',
    [],
    {},
    true,
    [null],
    { __proto__: null },
    '9'.repeat(400),
    1.5,
    '\ud800',
  ];
  return changes.reduce((document, [, at, a]) => {
    let count = 0;
    const size = (one: unknown): number =>
      1 +
      (typeof one === 'object' && one !== null
        ? Object.values(one).reduce((sum: number, x) => sum + size(x), 0)
        : 0);
    const target = at % size(document);
    const visit = (one: unknown): unknown => {
      if (count++ === target) return odd[a % odd.length];
      if (Array.isArray(one)) return one.map(visit);
      if (typeof one !== 'object' || one === null) return one;
      return Object.fromEntries(Object.entries(one).map(([key, inner]) => [key, visit(inner)]));
    };
    return visit(document);
  }, value);
}

/** Makes cases of drafts. Reports are changed from the one in `report.json`. */
export function caseMaker({ small, large }: Seeds, reportPath: string): (draft: Draft) => Case {
  const report: unknown = JSON.parse(readFileSync(reportPath, 'utf8'));
  const garbled = (bytes: Uint8Array, changes: readonly Change[]) =>
    mutate(
      [{ ...leaf(1, 2, bytes), bytes }],
      [],
      changes.map(([, ...rest], at) => [KINDS - 1 - ((rest[0] + at) % 5), ...rest]),
    );
  return ({ target, seed, donor, choice, changes }) => {
    if (target < 90) {
      const pool = target === 0 && seed % 5 === 0 && large.length > 0 ? large : small;
      const [model, lender] = [pool[seed % pool.length], small[donor % small.length]];
      const bytes = mutate(model?.parts ?? [], lender?.parts ?? [], changes);
      const operation = operationOf(choice);
      return { target: 'model', bytes, operation, ...(donor % 4 === 0 ? { source: 'file' } : {}) };
    }
    if (target < 93) return { target: 'npy', bytes: garbled(ARRAYS[seed % ARRAYS.length] ?? ARRAY, changes) };
    if (target < 95) return { target: 'npz', bytes: garbled(ZIPS[seed % ZIPS.length] ?? ARRAY, changes) };
    if (target < 97) {
      const tensors =
        small[seed % small.length]?.parts.find(({ message }) => message === 'graph')?.parts ?? [];
      const tensor = tensors.find(({ message }) => message === 'tensor');
      return {
        target: 'tensor',
        bytes: mutate(tensor?.parts ?? [leaf(2, 0, Uint8Array.of(1))], [], changes),
      };
    }
    if (target < 98) return { target: 'plan', bytes: json(changedJson(PLAN, changes)) };
    return { target: 'report', bytes: json(changedJson(report, changes)) };
  };
}
