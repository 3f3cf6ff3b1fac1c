import fc from 'fast-check';
import { expect, test } from 'vitest';
import { onnx } from '../../../proto/onnx.js';
import { rescale } from '../../../src/calibrate/scale/rescale.js';
import { separateConstants } from '../../../src/calibrate/scale/separate-constants.js';
import { planOf } from '../../../src/mish/plan.js';
import { findSites } from '../../../src/mish/sites.js';
import { swap } from '../../../src/mish/swap.js';
import { splice } from '../../../src/onnx/splice.js';
import { modelFromBytes } from '../../../src/providers/loaded-model.js';
import { casesOf } from '../../support/heavy.js';
import { floats, model, node, value } from '../../support/model.js';
import { f32, run } from '../../support/run.js';

const SHARED = ['Add', 'Sub', 'Max', 'Mul'];
const weights = [0.5, -0.25, 1, 0.75, -0.5, 0.25, 0.5, -1, 1, 0.5, -0.75, 0.25, 0.5, 1, -0.25, 0.5];

/** A chain of layers and LeakyReLUs, each with an operator that reads the one shared constant. */
function chain(ops: readonly string[], constant: number): Uint8Array {
  const nodes = ops.flatMap((op, at) => [
    node('MatMul', [at === 0 ? 'x' : `o${at - 1}`, `w${at}`], [`m${at}`]),
    node('LeakyRelu', [`m${at}`], [`a${at}`], { alpha: { f: 0.25 } }),
    node(op, [`a${at}`, 'shared'], [`o${at}`]),
  ]);
  const names = [...ops.keys(), ops.length].map((at) => `w${at}`);
  return model({
    nodes: [...nodes, node('MatMul', [`o${ops.length - 1}`, `w${ops.length}`], ['y'])],
    initializers: [
      floats('shared', [1, 1], [constant]),
      ...names.map((name) => floats(name, [4, 4], weights)),
    ],
  });
}

const bytesOf = async ({ document }: Awaited<ReturnType<typeof separateConstants>>) =>
  splice(document.source, []).bytes();

test('sites whose operators share a constant take a scale each, and the model computes the same', async () => {
  const ops = fc.array(fc.constantFrom(...SHARED), { minLength: 2, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(ops, fc.constantFrom(-0.5, 0.25, 2), async (ops, constant) => {
      const bytes = chain(ops, constant);
      const feeds = { x: f32([1, -2, 3, -4, 0.5, 0.25, -1, 2], [2, 4]) };
      const separated = await separateConstants(await modelFromBytes(bytes));
      const before = await run(bytes, feeds);
      expect(await run(await bytesOf(separated), feeds)).toEqual(before);
      const { sites } = await findSites(separated.document, { only: ['leakyrelu'] });
      const wanted = sites.map((site, place) => ({ site, beta: 2 ** (place + 1) }));
      const { model: rescaled, folded } = await rescale(separated, sites, wanted);
      expect(folded.map(({ beta }) => beta)).toEqual(wanted.map(({ beta }) => beta));
      expect(await run(await bytesOf(rescaled), feeds)).toEqual(before);
    }),
    { seed: 19, numRuns: casesOf(20) },
  );
});

test('a model in which no constant has two readers stays as it is', async () => {
  const loaded = await modelFromBytes(chain(['Add'], 1));
  expect(await separateConstants(loaded)).toBe(loaded);
});

test('nodes with the same weights keep one bias, and nodes with other weights get one each', async () => {
  const layers = ['w0', 'w1', 'w0', 'w1', 'w2'].flatMap((weight, at) => [
    node('Gemm', ['x', weight, 'shared'], [`g${at}`]),
    node('MatMul', ['x', weight], [`m${at}`]),
    node('Add', [`m${at}`, 'shared'], [`a${at}`]),
  ]);
  const names = layers.flatMap(({ opType, output }) => (opType === 'MatMul' ? [] : (output ?? [])));
  const bytes = model({
    nodes: [...layers, node('Sum', names, ['y'])],
    initializers: [
      floats('shared', [4], [1, 2, 3, 4]),
      ...['w0', 'w1', 'w2'].map((name) => floats(name, [4, 4], weights)),
    ],
  });
  const separated = await separateConstants(await modelFromBytes(bytes));
  const { nodes } = separated.document.graph;
  const biases = (opType: string, slot: number) =>
    nodes.filter((one) => one.opType === opType).map(({ inputs }) => inputs[slot]);
  for (const [first, second, third, fourth, fifth] of [biases('Gemm', 2), biases('Add', 1)]) {
    expect([third, fourth]).toEqual([first, second]);
    expect(new Set([first, second, fifth]).size).toBe(3);
  }
  const feeds = { x: f32([1, -2, 3, -4], [1, 4]) };
  expect(await run(await bytesOf(separated), feeds)).toEqual(await run(bytes, feeds));
});

const opsOf = fc.array(fc.constantFrom(...SHARED), { minLength: 2, maxLength: 5 });

/** Puts nodes without a name, the bodies of which have activations, behind the nodes of a chain. */
function withBodies(bytes: Uint8Array, places: readonly number[], ir: number): Uint8Array {
  const message = onnx.ModelProto.decode(bytes);
  const { graph } = message;
  if (!graph) throw new Error('the model has no graph');
  const nodes = graph.node ?? [];
  const tensors = graph.initializer ?? [];
  for (const [at, place] of places.entries()) {
    const [from = ''] = nodes[place % nodes.length]?.output ?? [];
    const body = (name: string) => ({
      graph: { name, node: [node('Relu', [from], [`${name}${at}`])], output: [value(`${name}${at}`, 1)] },
    });
    const then = { then_branch: body('then'), else_branch: body('else') };
    nodes.splice((place % nodes.length) + 1, 0, node('If', ['yes'], [`i${at}`], then));
  }
  const inputs =
    ir < 4 ? tensors.map(({ name, dims }) => value(name ?? '', 1, (dims ?? []).map(Number))) : [];
  const yes = { name: 'yes', dims: [], dataType: 9, int32Data: [1] };
  nodes.unshift(node('Constant', [], ['yes'], { value: { tensor: yes } }));
  const outputs = places.map((_, at) => value(`i${at}`, 1));
  return onnx.ModelProto.encode({
    ...message,
    irVersion: ir,
    graph: {
      ...graph,
      node: nodes,
      input: [...(graph.input ?? []), ...inputs],
      output: [...(graph.output ?? []), ...outputs],
    },
  }).finish();
}

test('bodies of nodes without a name keep their paths, by which a plan finds their activations', async () => {
  await fc.assert(
    fc.asyncProperty(
      ...[opsOf, fc.array(fc.nat(20), { minLength: 1, maxLength: 3 }), fc.constantFrom(3, 4, 8)],
      async (ops, places, ir) => {
        const loaded = await modelFromBytes(withBodies(chain(ops, 0.25), places, ir));
        const separated = await separateConstants(loaded);
        const paths = ({ document }: typeof separated) => document.scopes.map(({ path }) => path);
        expect(paths(separated)).toEqual(paths(loaded));
        expect(separated === loaded).toBe(ir < 4);
        const feeds = { x: f32([1, -2, 3, -4, 0.5, 0.25, -1, 2], [2, 4]) };
        expect(await run(await bytesOf(separated), feeds)).toEqual(await run(await bytesOf(loaded), feeds));
        const { output } = await swap(await bytesOf(separated), {
          plan: planOf((await swap(await bytesOf(loaded), {})).report),
        });
        expect(output.size).toBeGreaterThan(0);
      },
    ),
    { seed: 6, numRuns: casesOf(15) },
  );
});
