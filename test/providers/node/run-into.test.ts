import { afterAll, describe, expect, test } from 'vitest';
import { nodeProvider } from '../../../src/providers/node/provider.js';
import { CONTAINER, createRunInto } from '../../../src/providers/node/run-into.js';
import type { Session } from '../../../src/providers/provider.js';
import { model, node, value } from '../../support/model.js';

const OUTPUTS = ['sum', 'product', 'total', 'root'];
const models = [9, 11, 17].map((opset) => {
  const bytes = model({
    opset,
    nodes: [
      node('Add', ['x', 'y'], ['sum']),
      node('Mul', ['x', 'y'], ['product']),
      node('ReduceMean', ['x'], ['total'], { axes: [0, 1], keepdims: 1 }),
      node('Sqrt', ['total'], ['root']),
    ],
    inputs: [value('x', 1, ['N', 3]), value('y', 1, ['N', 3])],
    outputs: OUTPUTS.map((name) => value(name, 1)),
  });
  return { opset, bytes };
});
const f32 = (dims: number[], from: (at: number) => number) => {
  const count = dims.reduce((product, dim) => product * dim, 1);
  return { elemType: 'f32', dims, data: Float32Array.from({ length: count }, (_, at) => from(at)) };
};
const feedsOf = (turn: number, rows = 2) => ({
  x: f32([rows, 3], (at) => at + turn),
  y: f32([rows, 3], (at) => at * turn - 1),
});
const provider = nodeProvider('cpu');
const open = new Map<string, Session>();
const session = async (bytes: Uint8Array, opset: number, forRunInto: boolean) => {
  const key = `${opset} ${forRunInto}`;
  const found = open.get(key) ?? (await provider.open(bytes, { forRunInto }));
  open.set(key, found);
  return found;
};
afterAll(async () => {
  for (const one of open.values()) await one.close();
});

describe.each(models)('runs of opset $opset that write into given arrays', ({ opset, bytes }) => {
  // The outputs that are given, in every choice.
  const choices = Array.from({ length: 2 ** OUTPUTS.length }, (_, choice) =>
    OUTPUTS.filter((_, at) => (choice >> at) % 2 === 1),
  );

  test.each([false, true])('give what other runs give, with forRunInto: %s', async (forRunInto) => {
    for (const given of choices) {
      const fresh = await provider.open(bytes, { forRunInto });
      expect(fresh.outputs.map(({ name }) => name)).toEqual(OUTPUTS);
      for (let turn = 1; turn < 5; turn++) {
        const expected = await fresh.run(feedsOf(turn));
        const into = Object.fromEntries(
          given.map((name) => [name, f32([...(expected[name]?.dims ?? [])], () => Number.NaN)]),
        );
        expect(await fresh.runInto?.(feedsOf(turn), into), `${given} ${turn}`).toEqual(expected);
        for (const name of given) expect(into[name]).toEqual(expected[name]);
      }
      await fresh.close();
    }
  });

  test('say what went wrong, and go on', async () => {
    const { runInto } = await session(bytes, opset, true);
    const into = () => ({ sum: f32([2, 3], () => 0), product: f32([2, 3], () => 0) });
    for (let turn = 1; turn < 4; turn++) {
      const bad = { ...feedsOf(turn), y: f32([2, 2], () => 1) };
      await expect(runInto?.(bad, into())).rejects.toMatchObject({ code: 'run-failed' });
      const { run } = await session(bytes, opset, false);
      expect(await runInto?.(feedsOf(turn), into())).toEqual(await run(feedsOf(turn)));
    }
  });

  test('return what other outputs are if they are NaN', async () => {
    const { runInto } = await session(bytes, opset, true);
    const { run } = await session(bytes, opset, false);
    for (let turn = 1; turn < 4; turn++) {
      const feeds = { ...feedsOf(turn), x: f32([2, 3], () => Number.NaN) };
      const into = { sum: f32([2, 3], () => 0), product: f32([2, 3], () => 0) };
      expect(await runInto?.(feeds, into)).toEqual(await run(feeds));
    }
  });
});

test('results lie in the given arrays alone, from the second run on', async () => {
  for (const { opset, bytes } of models.filter(({ opset }) => opset > 10)) {
    const { runInto } = await session(bytes, opset, true);
    const into = Object.fromEntries(OUTPUTS.slice(0, 2).map((name) => [name, f32([2, 3], () => 0)]));
    await runInto?.(feedsOf(1), into);
    const results = await runInto?.(feedsOf(2), into);
    for (const [name, { data }] of Object.entries(into)) expect(results?.[name]?.data).toBe(data);
    expect(Object.keys(results ?? {})).not.toContain(CONTAINER);
  }
});

test('an output that is an input of the model, which ONNX Runtime does not write, has its numbers in each run', async () => {
  const bytes = model({
    nodes: [node('Neg', ['x'], ['sum']), node('Abs', ['x'], ['root'])],
    inputs: [value('x', 1, ['N', 3])],
    outputs: ['sum', 'x', 'root'].map((name) => value(name, 1, ['N', 3])),
  });
  const plain = await provider.open(bytes);
  const copied = await provider.open(bytes, { forRunInto: true });
  for (let turn = 1; turn < 5; turn++) {
    const { x } = feedsOf(turn);
    const into = { sum: f32([2, 3], () => 0) };
    expect(await copied.runInto?.({ x }, into)).toEqual(await plain.run({ x }));
  }
  for (const one of [plain, copied]) await one.close();
});

test('outputs without elements cost no second run', async () => {
  const bytes = model({
    opset: 13,
    nodes: [node('Neg', ['x'], ['sum']), node('Slice', ['x', 'zero', 'zero'], ['total'])],
    inputs: [value('x', 1, ['N', 3])],
    outputs: ['sum', 'total'].map((name) => value(name, 1)),
    initializers: [{ name: 'zero', dataType: 7, dims: [1], int64Data: [0] }],
  });
  const plain = await provider.open(bytes);
  let runs = 0;
  const tried = createRunInto(
    async (feeds, into, others) => {
      runs++;
      const results = await plain.run(feeds);
      if (!others.includes(CONTAINER)) return results;
      for (const [name, { data }] of Object.entries(into))
        (data as Float32Array).set(results[name]?.data as Float32Array);
      throw new Error('Non tensor type'); // as onnxruntime-node does, after it has written
    },
    ['sum', 'total'],
    true,
  );
  for (let turn = 1; turn < 5; turn++) {
    const { x } = feedsOf(turn);
    expect(await tried({ x }, { sum: f32([2, 3], () => 0) })).toEqual(await plain.run({ x }));
    expect(runs).toBe(turn);
  }
  await plain.close();
});

test('a session that gives its results where an error was expected makes one run of each, after the second', async () => {
  const bytes = models[1]?.bytes ?? new Uint8Array();
  const { runInto } = await session(bytes, 11, false);
  let runs = 0;
  const run: Parameters<typeof createRunInto>[0] = async (feeds, into) => {
    runs++;
    return (await runInto?.(feeds, into)) ?? {};
  };
  const tried = createRunInto(run, OUTPUTS, true);
  const counts: number[] = [];
  for (let turn = 1; turn < 5; turn++) {
    runs = 0;
    const into = { sum: f32([2, 3], () => 0) };
    const results = await tried(feedsOf(turn), into);
    expect(results).toEqual(await (await session(bytes, 11, false)).run(feedsOf(turn)));
    counts.push(runs);
  }
  expect(counts).toEqual([1, 2, 1, 1]);
});
