import { describe, expect, test } from 'vitest';
import { createRandom } from '../../src/base/random.js';
import { inspect } from '../../src/mish/inspect.js';
import { mish } from '../../src/mish/reference.js';
import { retarget } from '../../src/mish/retarget.js';
import type { FloatType } from '../../src/onnx/types.js';
import { ops } from '../support/graph.js';
import { everyNth } from '../support/heavy.js';
import { held } from '../support/mish.js';
import { model, node, value } from '../support/model.js';
import { f32, run } from '../support/run.js';
import {
  abs,
  add,
  constantsIn,
  div,
  type Expression,
  exp,
  greater,
  log,
  max,
  mul,
  neg,
  perturb,
  relu,
  softplus,
  spell,
  sub,
  tanh,
  where,
} from '../support/spellings.js';

const x = 'x';
const e = exp(x);
const p = add(1, e);
/** The ways in which exporters and people write Mish, in one expression each. */
const SPELLINGS: Record<string, Expression> = {
  'log(1 + exp x)': mul(x, tanh(log(p))),
  Softplus: mul(x, tanh(softplus(x))),
  'a threshold of 20': mul(x, tanh(where(greater(x, 20), x, log(p)))),
  'the stable softplus by max': mul(x, tanh(add(max(x, 0), log(add(1, exp(neg(abs(x)))))))),
  'the stable softplus by Relu': mul(x, tanh(add(relu(x), log(add(1, exp(neg(abs(x)))))))),
  '1 - 2 / ((1 + e)² + 1)': mul(x, sub(1, div(2, add(mul(p, p), 1)))),
  '(e² + 2e) / (e² + 2e + 2)': mul(x, div(add(mul(e, e), mul(e, 2)), add(add(mul(e, e), mul(e, 2)), 2))),
  'x times the numerator first': div(mul(x, mul(e, add(e, 2))), add(mul(e, add(e, 2)), 2)),
  'a Softplus with a β of 1': mul(x, tanh(div(softplus(mul(x, 1)), 1))),
  'x - 2x / (…)': sub(x, div(mul(2, x), add(mul(p, p), 1))),
};
const sharpened = (beta: number): Expression[] => [
  mul(x, tanh(softplus(mul(beta, x)))),
  mul(x, tanh(log(add(exp(mul(x, beta)), 1)))),
  mul(x, tanh(softplus(div(x, 1 / beta)))),
];

const FEED = Array.from({ length: 161 }, (_, at) => (at - 80) / 10);

describe.each(everyNth(2, Object.entries(SPELLINGS)))('%s', (name, expression) => {
  test.each<[FloatType, number]>([
    ['f32', 7],
    ['f32', 13],
    ['f32', 18],
    ['f16', 15],
    ['f64', 17],
  ])('in %s at opset %i is one Mish, however it is varied', async (type, opset) => {
    const random = createRandom(opset);
    for (let round = 0; round < 6; round++) {
      const bytes = model(spell(expression, { type, opset, random, vary: round > 0 }));
      const { mish: found } = await inspect(bytes);
      expect(found).toMatchObject([{ beta: 1, output: 'y' }]);
      expect(found[0]?.difference).toBeLessThan(1e-6);
      if (type !== 'f32' || opset < 9) continue;
      const { output } = await retarget(bytes, { form: 'exp' });
      const after = await output.bytes();
      expect(ops(after).filter((op) => op !== 'Constant')).toEqual([
        'Clip',
        'Exp',
        'Add',
        'Mul',
        'Add',
        'Div',
        'Mul',
      ]);
      const [before, now] = [await run(bytes, { x: f32(FEED) }), await run(after, { x: f32(FEED) })];
      for (const [at, given] of FEED.entries()) {
        const want = mish(held(given, 'f32'));
        expect(Math.abs((now.y?.[at] ?? Number.NaN) - want)).toBeLessThan(1e-5);
        expect(Math.abs((before.y?.[at] ?? Number.NaN) - want)).toBeLessThan(1e-5);
      }
    }
  });

  test('with a constant changed by a thousandth is not Mish', async () => {
    const random = createRandom(1);
    for (let which = 0; which < constantsIn(expression); which++) {
      for (const share of [1e-3, -1e-3]) {
        const changed = perturb(expression, which, share);
        // 20 is where e^-20 no longer shows: a threshold nearby is Mish as well.
        if (/threshold/.test(name) && JSON.stringify(changed).includes(`${20 * (1 + share)}`)) continue;
        const bytes = model(spell(changed, { type: 'f32', opset: 17, random, vary: true }));
        // What is left may be Mish of another sharpness, or a mixture with a small slope.
        const { mish: found } = await inspect(bytes);
        const plain = found.filter(
          ({ beta, leak = 0 }) => Math.abs(beta - 1) < 5e-4 && Math.abs(leak) < 5e-4,
        );
        expect(plain, `${which} ${share}`).toEqual([]);
      }
    }
  });
});

describe('variants', () => {
  const parts = { type: 'f64', opset: 17, random: createRandom(3), vary: true } as const;

  test.each([0.25, 0.7, 1.5, 4])('a sharpness of %d is found, and a mixture of it', async (beta) => {
    for (const expression of sharpened(beta)) {
      const { mish: found } = await inspect(model(spell(expression, parts)));
      expect(found).toHaveLength(1);
      expect(found[0]?.beta).toBeCloseTo(beta, 12);
      for (const leak of [0.01, 0.3, -0.2]) {
        const mixture = add(mul(leak, x), mul(expression, 1 - leak));
        const { mish: mixed } = await inspect(model(spell(mixture, parts)));
        expect(mixed).toHaveLength(1);
        expect(mixed[0]?.beta).toBeCloseTo(beta, 12);
        expect(mixed[0]?.leak).toBeCloseTo(leak, 12);
      }
    }
  });

  test('the Softplus may be a function of the model, or of a function', async () => {
    const opsetImport = [
      { domain: '', version: 17 },
      { domain: 'local', version: 1 },
    ];
    const local = (name: string, nodes: ReturnType<typeof node>[]) => {
      return { domain: 'local', name, input: ['a'], output: ['b'], node: nodes, opsetImport };
    };
    const softplusOf = [
      node('Exp', ['a'], ['e']),
      node('Add', ['e', 'one'], ['s']),
      node('Log', ['s'], ['b']),
    ];
    const one = node('Constant', [], ['one'], { value_float: { f: 1 } });
    const functions = [
      local('Softplus', [one, ...softplusOf]),
      local('Again', [node('Softplus', ['a'], ['b'], {}, { domain: 'local' })]),
    ];
    for (const name of ['Softplus', 'Again']) {
      const call = node(name, ['x'], ['s'], {}, { domain: 'local' });
      const nodes = [call, node('Tanh', ['s'], ['t']), node('Mul', ['t', 'x'], ['y'])];
      const io = { inputs: [value('x', 1, [4])], outputs: [value('y', 1, [4])] };
      const bytes = model({ opset: 17, nodes, functions, domains: { local: 1 }, ...io });
      expect((await inspect(bytes)).mish).toMatchObject([{ form: 'other', beta: 1, output: 'y' }]);
      const { output } = await retarget(bytes, { form: 'softplus' });
      expect(ops(await output.bytes())).toEqual(['Softplus', 'Tanh', 'Mul']);
    }
  });

  test('an attribute that comes through two functions is not known', async () => {
    const opsetImport = [
      { domain: '', version: 17 },
      { domain: 'local', version: 1 },
    ];
    const rest = { domain: 'local', input: ['a'], output: ['b'], attribute: ['alpha'], opsetImport };
    const given = { alpha: { ref: 'alpha', type: 'FLOAT' } } as const;
    // ln(1 + e^x) = relu(x) + ln(1 + e^-|x|), with a LeakyRelu of slope 0 as the ReLU
    const softplus = [
      node('LeakyRelu', ['a'], ['relu'], given),
      node('Abs', ['a'], ['size']),
      node('Neg', ['size'], ['minus']),
      node('Exp', ['minus'], ['e']),
      node('Constant', [], ['one'], { value_float: { f: 1 } }),
      node('Add', ['e', 'one'], ['s']),
      node('Log', ['s'], ['tail']),
      node('Add', ['relu', 'tail'], ['b']),
    ];
    const functions = [
      { name: 'Softplus', node: softplus, ...rest },
      { name: 'Again', node: [node('Softplus', ['a'], ['b'], given, { domain: 'local' })], ...rest },
    ];
    const found = async (name: string, alpha: number) => {
      const call = node(name, ['x'], ['s'], { alpha: { f: alpha } }, { domain: 'local' });
      const nodes = [call, node('Tanh', ['s'], ['t']), node('Mul', ['t', 'x'], ['y'])];
      const io = { inputs: [value('x', 1, [4])], outputs: [value('y', 1, [4])] };
      return (await inspect(model({ opset: 17, nodes, functions, domains: { local: 1 }, ...io }))).mish
        .length;
    };
    expect(await found('Softplus', 0)).toBe(1);
    for (const [name, alpha] of [
      ['Softplus', 0.25],
      ['Again', 0.25],
      ['Again', 0],
    ] as const)
      expect(await found(name, alpha), `${name} ${alpha}`).toBe(0);
  });

  test('what others read stays', async () => {
    const nodes = [
      node('Identity', ['x'], ['i']),
      node('Softplus', ['i'], ['s']),
      node('Tanh', ['s'], ['t']),
      node('Mul', ['x', 't'], ['y']),
    ];
    const outputs = [value('y', 1, ['N', 4]), value('s', 1, ['N', 4])];
    const { output, report } = await retarget(model({ nodes, outputs }), { form: 'native' });
    expect(report.sites).toMatchObject([{ kind: 'other', output: 'y' }]);
    expect(ops(await output.bytes())).toEqual(['Identity', 'Softplus', 'Mish']);
  });
});
