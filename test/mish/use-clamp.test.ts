import { expect, test } from 'vitest';
import { inspect } from '../../src/mish/inspect.js';
import { createOperands } from '../../src/mish/operands.js';
import { createClampBefore } from '../../src/mish/use-clamp.js';
import { indexCalls } from '../../src/onnx/function-calls.js';
import { type GraphIndex, indexGraphs } from '../../src/onnx/graph-index.js';
import { scan } from '../../src/onnx/scan.js';
import { floats, model, node, value } from '../support/model.js';

const local = (name: string, nodes: ReturnType<typeof node>[]) => ({
  name,
  domain: 'l',
  input: ['a'],
  output: ['b'],
  node: nodes,
  opsetImport: [{ version: 18 }, { domain: 'l', version: 1 }],
});
const call = (name: string, from: string, to: string) => node(name, [from], [to], {}, { domain: 'l' });

/** A Relu in the innermost of nested functions, each of which calls the next several times. */
function nested(depth: number, calls: number, before: ReturnType<typeof node>[] = [], x = 'x') {
  const functions = Array.from({ length: depth }, (_, level) =>
    local(`F${level}`, [
      ...Array.from({ length: level === depth - 1 ? 0 : calls }, (_, at) =>
        call(`F${level + 1}`, 'a', at === 0 ? 'b' : `b${at}`),
      ),
      ...(level === depth - 1 ? [node('Relu', ['a'], ['b'])] : []),
    ]),
  );
  return model({
    nodes: [...before, call('F0', x, 'y')],
    inputs: [value('x', 1, ['N'])],
    outputs: [value('y', 1, ['N'])],
    initializers: [floats('six', [], [6])],
    domains: { l: 1 },
    functions,
  });
}

test('the ways back through nested functions with many calls are not all walked', async () => {
  for (const [depth, calls] of [
    [6, 8],
    [12, 2],
  ] as const) {
    const document = await scan(nested(depth, calls));
    const index = indexGraphs(document);
    let steps = 0;
    const counting: GraphIndex = {
      ...index,
      home(scope, name) {
        steps++;
        return index.home(scope, name);
      },
    };
    const before = createClampBefore(counting, createOperands(index), indexCalls(document));
    const innermost = document.functions.at(-1);
    if (innermost === undefined) throw new Error('there is no function');
    expect(before(innermost, 'a')).toBeUndefined();
    expect(steps).toBeLessThan(1000);
  }
});

test('a bound before a call is found as far away as without the call', async () => {
  const moves = (count: number) =>
    Array.from({ length: count }, (_, at) => node('Identity', [`m${at}`], [`m${at + 1}`]));
  const bound = node('Min', ['x', 'six'], ['m0']);
  for (const distance of [0, 3, 8]) {
    const { skipped } = await inspect(nested(2, 1, [bound, ...moves(distance)], `m${distance}`));
    expect(skipped).toMatchObject([{ kind: 'relu', reason: 'clamp' }]);
  }
});
