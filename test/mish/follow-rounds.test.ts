import { expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { inspect } from '../../src/mish/inspect.js';
import { LOOP_INITIALIZERS, loopNode } from '../support/bodies.js';
import { floats, model, node, value } from '../support/model.js';

/**
 * Loops inside one another, each of which carries on the result of the one inside, and adds to it. A Relu is before them or in the
 * innermost, and a root is in the innermost or behind them.
 */
function nested(depth: number, isOutside: boolean): Uint8Array {
  const name = (what: string, at: number) => `${what}${at}`;
  const relu = (from: string, to: string) => [
    node('MatMul', [from, 'w'], [`${to}_m`]),
    node('Relu', [`${to}_m`], [to], {}, { name: 'act' }),
  ];
  let body: onnx.INodeProto[] = [
    ...(isOutside ? [node('Identity', ['carried'], ['r'])] : relu('carried', 'r')),
    node('Add', ['r', 'one'], ['a']),
    node('Log', ['a'], ['l']),
    node('Sqrt', ['l'], ['root'], {}, { name: 'root' }),
    node('Add', ['carried', 'root'], ['next']),
  ];
  for (let at = 0; at < depth; at++)
    body = [
      loopNode('carried', name('inner', at), body, name('loop', at)),
      node('Add', ['carried', name('inner', at)], ['next']),
    ];
  const start = isOutside ? relu('x', 'r0') : [node('Identity', ['x'], ['r0'])];
  return model({
    nodes: [...start, loopNode('r0', 'y', body)],
    initializers: [...LOOP_INITIALIZERS, floats('w', [2, 2], [1, 0, 0, 1]), floats('one', [], [1])],
    inputs: [value('x', 1, [2, 2])],
    outputs: [value('y', 1, [2, 2])],
  });
}

test.each([true, false])(
  'a guard is found through loops at any depth, with the Relu outside: %s',
  async (isOutside) => {
    for (const depth of [0, 1, 2, 5, 12])
      expect((await inspect(nested(depth, isOutside))).skipped).toMatchObject([
        {
          node: 'act',
          reason: 'guard',
          why: expect.stringMatching(/^it keeps the operand of (Sqrt|Log) from being negative/),
        },
      ]);
  },
);

/** Shortest time to compare with, in µs. */
const MEASURABLE = 2000;

test('loops inside one another take time in proportion to their number', async () => {
  const secondsOf = async (depth: number) => {
    const { user: before } = process.cpuUsage();
    await inspect(nested(depth, false));
    return process.cpuUsage().user - before;
  };
  await secondsOf(5);
  const few = Math.min(await secondsOf(5), await secondsOf(5), await secondsOf(5));
  const many = Math.min(await secondsOf(20), await secondsOf(20));
  expect(many).toBeLessThan(16 * Math.max(few, MEASURABLE));
});
