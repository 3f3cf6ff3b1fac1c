import { readdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { swap } from '../../src/mish/swap.js';
import { profileModel, profileModels } from '../../src/node/profile-models.js';
import { bytesCandidate, validateFiles } from '../../src/node/validate-files.js';
import { nodeProvider } from '../../src/providers/node/provider.js';
import { medianRun, observePlacement, placementOf, summariseKernels } from '../../src/validate/profile.js';
import { tempFolder } from '../support/folder.js';
import { decode, nodesOf } from '../support/graph.js';
import { model, node, value } from '../support/model.js';
import { bytesOf, REAL_MODELS } from '../support/models.js';
import { modelPath } from '../support/workbench-page.js';

const cpu = nodeProvider('cpu');
const sum = (values: readonly { us: number }[]) => values.reduce((total, { us }) => total + us, 0);

let temporary = '';
beforeEach(async () => {
  temporary = (await tempFolder()).path;
  vi.stubEnv('TMPDIR', temporary);
});
afterEach(() => {
  vi.unstubAllEnvs();
  expect(readdirSync(temporary)).toEqual([]);
});

const x = { elemType: 'f32', dims: [1, 3, 48, 64], data: new Float32Array(3 * 48 * 64).fill(0.1) };

describe('a real model', () => {
  test('has a profile whose parts add up and contain Mish', async () => {
    const original = bytesOf(REAL_MODELS.classifier);
    const { output, report } = await swap(original, { form: 'softplus' });
    const both = { original, swapped: await output.bytes() };
    const profile = await profileModels(cpu, both, { x }, { runs: 3 });
    for (const one of [profile.original, profile.swapped]) {
      expect(one.runs).toBe(3);
      expect(sum(one.operators)).toBeCloseTo(one.totalUs, 3);
      expect(one.sites).toHaveLength(report.sites.length);
      expect(one.operators.map(({ us }) => us)).toEqual(
        one.operators.map(({ us }) => us).toSorted((a, b) => b - a),
      );
      for (const { provider } of one.operators) expect(provider).toBe('CPUExecutionProvider');
    }
    expect(sum(profile.swapped.sites)).toBeCloseTo(profile.mishUs, 3);
    const calls = (op: string) => profile.swapped.operators.find((one) => one.op === op)?.calls;
    expect(calls('Softplus')).toBe(report.sites.length);
    // What is not Mish in the one against what is no activation in the other.
    const rest =
      profile.swapped.totalUs - profile.mishUs - (profile.original.totalUs - sum(profile.original.sites));
    expect(profile.lostFusionUs).toBeCloseTo(rest, 3);
    expect(profile.forms.map(({ form, us }) => [form, us === null])).toEqual([
      ['softplus', false],
      ['exp', false],
      ['native', true], // its opset is 9
      ['sigmoid', false],
      ['tanh', false],
      ['hard', false],
    ]);
  });

  test('is in the report where requested', async () => {
    const bytes = bytesOf(modelPath('mlp.onnx'));
    const original = await bytesCandidate(bytes, 'original');
    const swapped = await bytesCandidate(await (await swap(bytes)).output.bytes(), 'swapped');
    const options = { shapes: { images: [1, 1, 28, 28] }, runs: 1, latency: false } as const;
    const [row] = (await validateFiles(original, swapped, { ...options, profile: true })).providers;
    expect(row?.profile?.mishUs).toBeGreaterThan(0);
    expect((await validateFiles(original, swapped, options)).providers[0]?.profile).toBeNull();
  });
});

test.each([
  ['names of their own', (at: number) => `node ${at}`],
  ['no names', () => ''],
  ['one name', () => 'node'],
])('nodes with %s are counted in their sites', async (_, nameOf) => {
  const named = (bytes: Uint8Array) => {
    const message = decode(bytes);
    for (const [at, one] of nodesOf(message.graph).entries()) one.name = nameOf(at);
    return onnx.ModelProto.encode(message).finish();
  };
  const inputs = [value('x', 1, ['N', 8])];
  const original = named(
    model({
      nodes: [node('Relu', ['x'], ['a']), node('LeakyRelu', ['x'], ['b'], { alpha: { f: 0.5 } })],
      inputs,
      outputs: [value('a', 1, ['N', 8]), value('b', 1, ['N', 8])],
    }),
  );
  const { output } = await swap(original, { form: 'tanh', leaky: 'mish' });
  const swapped = named(await output.bytes());
  const feeds = { x: { elemType: 'f32', dims: [2, 8], data: new Float32Array(16).fill(0.5) } };
  const profile = await profileModels(cpu, { original, swapped }, feeds, { runs: 2 });
  for (const one of [profile.original, profile.swapped]) {
    expect(one.sites).toHaveLength(nameOf(0) === 'node' ? 1 : 2); // sites of one name have one row
    expect(sum(one.sites)).toBeCloseTo(one.totalUs, 6); // the models have nothing else
  }
  expect(profile.lostFusionUs).toBeCloseTo(0, 6);
});

test('the figures are the medians per run', () => {
  const kernel = (name: string, op: string, us: number) => ({
    node: name,
    op,
    provider: 'CPUExecutionProvider',
    us,
  });
  const run = [kernel('conv', 'Conv', 10), kernel('act/mish/tanh', 'Tanh', 4), kernel('act/mish', 'Mul', 2)];
  const sites = new Map([
    ['act/mish/tanh', 'act/mish'],
    ['act/mish', 'act/mish'],
    ['gone', 'gone'],
  ]);
  expect(summariseKernels(run, sites)).toEqual({
    totalUs: 16,
    operators: [
      { op: 'Conv', provider: 'CPUExecutionProvider', calls: 1, us: 10 },
      { op: 'Tanh', provider: 'CPUExecutionProvider', calls: 1, us: 4 },
      { op: 'Mul', provider: 'CPUExecutionProvider', calls: 1, us: 2 },
    ],
    // Fused away: it has no time of its own.
    sites: [
      { node: 'act/mish', us: 6 },
      { node: 'gone', us: 0 },
    ],
  });
  // The time of control flow is its bodies', which are there as well.
  expect(summariseKernels([...run, kernel('if', 'If', 17)], sites).totalUs).toBe(16);
  // The first run does not count, and one that was disturbed hardly.
  const slower = (times: number) => run.map((one) => ({ ...one, us: one.us * times }));
  expect(medianRun([...slower(9), ...run, ...slower(100), ...run], 4)).toEqual(run);
  // Runs that are not alike are shared out.
  const uneven = [...run, kernel('conv', 'Conv', 10)];
  expect(sum(medianRun(uneven, 2))).toBeCloseTo(sum(uneven) / 2, 9);
});

test('placement lists the nodes that fell back to the CPU', async () => {
  const kernel = (name: string, provider: string) => ({ node: name, op: 'Relu', provider, us: 1 });
  const kernels = [kernel('a', 'CUDAExecutionProvider'), kernel('b', 'CPUExecutionProvider')];
  expect(placementOf(kernels, 'cuda')).toEqual({
    counts: { CUDAExecutionProvider: 1, CPUExecutionProvider: 1 },
    moved: [{ node: 'b', op: 'Relu', provider: 'CPUExecutionProvider' }],
  });
  expect(placementOf(kernels, 'cpu').moved).toEqual([]);
  const seen = await observePlacement(cpu, bytesOf(REAL_MODELS.classifier), { x });
  expect(Object.keys(seen.counts)).toEqual(['CPUExecutionProvider']);
});

describe('a profile that is not finished', () => {
  const relu = model({
    nodes: [node('Relu', ['x'], ['y'])],
    inputs: [value('x', 1, [1])],
    outputs: [value('y', 1, [1])],
  });

  test('leaves no file', async () => {
    const session = await cpu.open(relu, { profile: true });
    await session.run({ x: { elemType: 'f32', dims: [1], data: Float32Array.of(1) } });
    await session.close();
  });

  test('leaves no file either when the model cannot be opened, or run', async () => {
    await expect(cpu.open(Uint8Array.of(1, 2, 3), { profile: true })).rejects.toThrow();
    await expect(profileModel(cpu, relu, {})).rejects.toThrow(
      expect.objectContaining({ code: 'run-failed' }),
    );
  });
});
