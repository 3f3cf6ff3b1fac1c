import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { getProvider } from '../../../src/node/provider-by-name.js';
import { nodeProvider } from '../../../src/providers/node/provider.js';
import type { SessionOptions } from '../../../src/providers/provider.js';
import type { Tensor } from '../../../src/providers/tensor.js';
import { CONTAINERS, wrapped } from '../../support/containers.js';
import { model, node, value } from '../../support/model.js';
import { REAL_MODELS } from '../../support/models.js';

const cpu = nodeProvider('cpu');

const TENSORS: readonly (readonly [number, Tensor])[] = [
  [1, { elemType: 'f32', dims: [2], data: Float32Array.of(1.5, -2) }],
  [11, { elemType: 'f64', dims: [2], data: Float64Array.of(1.5, -2) }],
  [10, { elemType: 'f16', dims: [2], data: Uint16Array.of(0x3e00, 0xc000) }],
  [9, { elemType: 'bool', dims: [2], data: Uint8Array.of(0, 1) }],
  [7, { elemType: 'i64', dims: [2], data: BigInt64Array.of(-1n, 2n ** 60n) }],
  [6, { elemType: 'i32', dims: [2], data: Int32Array.of(-1, 7) }],
  [2, { elemType: 'u8', dims: [2], data: Uint8Array.of(1, 255) }],
  [8, { elemType: 'string', dims: [2], data: ['a', 'ß'] }],
];

describe('the CPU', () => {
  test('is always there, and says its version', async () => {
    expect(await cpu.availability()).toEqual({ available: true });
    expect(cpu.version).toMatch(/^1\.\d+\.\d+/);
  });

  test.each([
    ['Softplus', 11, 17, { form: 'exp' }],
    ['Elu', 11, 17, { form: 'exp' }],
    ['Add', 1, 6, { swap: { opset: 7 } }],
  ])('without a kernel for %s of type %i in opset %i advises what helps', async (op, type, opset, option) => {
    const shape = [value('x', type, [2])];
    const inputs = op === 'Add' ? ['x', 'x'] : ['x'];
    const bytes = model({
      ...{ opset, inputs: shape, outputs: [value('y', type, [2])] },
      nodes: [node(op, inputs, ['y'])],
    });
    await expect(cpu.open(bytes)).rejects.toMatchObject({ code: 'run-failed', option });
  });

  test.each(CONTAINERS)(
    'opens a model with the container %s again, and has the profile of its second session',
    async (kind) => {
      const { nodes, output } = wrapped(kind, 0);
      const bytes = model({
        nodes,
        ...{ domains: { 'ai.onnx.ml': 3 }, inputs: [value('x', 1, [2, 4])], outputs: [output] },
        initializers: [{ name: 'one', dataType: 7, dims: [], int64Data: [1] }],
      });
      const session = await cpu.open(bytes, { profile: true });
      try {
        await session.run({ x: { elemType: 'f32', dims: [2, 4], data: new Float32Array(8) } });
        expect(session.createMs).toBeGreaterThan(0);
        expect((await session.profile?.())?.map(({ op }) => op)).toContain('Relu');
      } finally {
        await session.close();
      }
    },
  );

  test.each(TENSORS)('takes and gives type %s', async (elemType, tensor) => {
    const bytes = model({
      nodes: [node('Identity', ['x'], ['y'])],
      inputs: [value('x', elemType, [2])],
      outputs: [value('y', elemType, [2])],
    });
    const session = await cpu.open(bytes);
    expect(session.inputs).toEqual([{ name: 'x', elemType: tensor.elemType, dims: [2] }]);
    const { y } = await session.run({ x: tensor });
    expect(y).toEqual(tensor);
    await session.close();
  });

  test('opens a real model by path, names its free dimension, and times a run', async () => {
    const session = await cpu.open(REAL_MODELS.embedding, { threads: 1 });
    expect(session.inputs).toEqual([{ name: 'input_1', elemType: 'f32', dims: ['unk__314', 76, 32, 1] }]);
    const feeds = { input_1: { elemType: 'f32', dims: [1, 76, 32, 1], data: new Float32Array(76 * 32) } };
    expect(await session.time(feeds)).toBeGreaterThan(0);
    expect(session.createMs).toBeGreaterThan(0);
    await session.close();
  });

  test('says whether its threads spin, if that was asked for', async () => {
    const [asked, plain] = [
      await cpu.open(REAL_MODELS.alexa, { spinning: false }),
      await cpu.open(REAL_MODELS.alexa),
    ];
    expect([asked.runtime.spinning, plain.runtime.spinning]).toEqual([false, undefined]);
    await Promise.all([asked.close(), plain.close()]);
  });

  test('finds external data beside a model that is opened by path', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'onnx-mish-test-'));
    try {
      const externalData = [{ key: 'location', value: 'weights.bin' }];
      const bytes = model({
        nodes: [node('Add', ['x', 'w'], ['y'])],
        inputs: [value('x', 1, [2])],
        outputs: [value('y', 1, [2])],
        initializers: [{ name: 'w', dataType: 1, dims: [2], dataLocation: 1, externalData }],
      });
      writeFileSync(join(folder, 'weights.bin'), Float32Array.of(10, 20));
      writeFileSync(join(folder, 'model.onnx'), bytes);
      const session = await cpu.open(join(folder, 'model.onnx'));
      const { y } = await session.run({ x: { elemType: 'f32', dims: [2], data: Float32Array.of(1, 2) } });
      expect(y?.data).toEqual(Float32Array.of(11, 22));
      await session.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('says what to do where it has no kernel', async () => {
    const bytes = model({
      opset: 22,
      nodes: [node('Softplus', ['x'], ['y'])],
      inputs: [value('x', 16, [2])],
      outputs: [value('y', 16, [2])],
    });
    await expect(cpu.open(bytes)).rejects.toThrow(
      expect.objectContaining({ code: 'run-failed', fix: expect.stringContaining('another form') }),
    );
  });

  test.each([
    ['bf16', 16],
    ['float8e4m3fn', 17],
    ['float8e5m2', 19],
  ])('names %s where it has no tensors of that type', async (name, elemType) => {
    const bytes = model({
      opset: 21,
      ir: 10,
      nodes: [node('Cast', ['x'], ['y'], { to: elemType })],
      inputs: [value('x', 1, [2])],
      outputs: [value('y', elemType, [2])],
    });
    await expect(cpu.open(bytes)).rejects.toThrow(
      expect.objectContaining({
        code: 'run-failed',
        fix: expect.stringContaining(`no tensors of ${name}: cast`),
      }),
    );
  });

  test('does not keep the bytes of a model in a session', async () => {
    setFlagsFromString('--expose_gc');
    const collect: () => void = runInNewContext('gc');
    const open = async (options: SessionOptions) => {
      const bytes = model({
        nodes: [node('Relu', ['x'], ['y'])],
        inputs: [value('x', 1, [2])],
        outputs: [value('y', 1, [2])],
      });
      return { bytes: new WeakRef(bytes), session: await cpu.open(bytes, options) };
    };
    const opened = await Promise.all([{}, { forRunInto: true }, { profile: true }].map(open));
    const kept = () => opened.filter(({ bytes }) => bytes.deref() !== undefined).length;
    for (let turn = 0; turn < 5 && kept() > 0; turn++) {
      await setTimeout(1);
      collect();
    }
    expect(kept()).toBe(0);
    for (const { session } of opened) await session.close();
  });

  test('refuses a bad model and bad feeds in our words', async () => {
    await expect(cpu.open(new Uint8Array([1, 2, 3]))).rejects.toThrow(
      expect.objectContaining({ code: 'run-failed', what: expect.stringContaining('cannot open it on cpu') }),
    );
    const session = await cpu.open(REAL_MODELS.alexa);
    await expect(session.run({ wrong: TENSORS[0]?.[1] as Tensor })).rejects.toThrow(
      expect.objectContaining({ code: 'run-failed' }),
    );
    await session.close();
  });
});

test.each(['cuda', 'tensorrt', 'webgpu', 'dml', 'coreml', 'wasm', 'webgl'] as const)(
  '%s is there, or says why not and what to do',
  async (name) => {
    const availability = await nodeProvider(name).availability();
    if (availability.available) return; // a machine with a GPU
    expect(availability.reason).not.toBe('');
    expect(availability.fix).not.toBe('');
  },
);

test('every provider of this process knows the version of ONNX Runtime once it was asked whether it works', async () => {
  for (const name of ['cpu', 'webgpu-native'] as const) {
    const provider = getProvider(name);
    await provider.availability();
    expect([provider.name, provider.version]).toEqual([name, getProvider('cpu').version]);
    expect(provider.version).toMatch(/^\d/);
  }
});

test('asking for WebGPU prints nothing, whatever the machine has', () => {
  const entrance = new URL('../../../dist/node/index.js', import.meta.url).href;
  const script = `import { getProvider } from '${entrance}';
    const { available } = await getProvider('webgpu-native').availability();
    console.log(typeof available);`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    encoding: 'utf8',
  });
  expect([stdout, stderr]).toEqual(['boolean\n', '']);
});
