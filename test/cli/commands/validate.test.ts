import { mkdir } from 'node:fs/promises';
import { zipSync } from 'fflate';
import { beforeEach, expect, test } from 'vitest';
import { onnx } from '../../../proto/onnx.js';
import { parseReport } from '../../../src/validate/report-schema.js';
import { cli, cliJson } from '../../support/cli.js';
import { type Folder, tempFolder } from '../../support/folder.js';
import { reluModel } from '../../support/graph.js';
import { isHeavy } from '../../support/heavy.js';
import { floats, model, node, value } from '../../support/model.js';
import { npy, raw } from '../../support/numpy.js';

const QUICK = ['--no-latency', '--samples', '1'];

/** Scores of three classes: Relu(x·I), so that the class is the largest input; only class 0 can be below zero. */
const CLASSIFIER = model({
  nodes: [
    node('Relu', ['x'], ['a'], {}, { name: 'act' }),
    node('MatMul', ['a', 'w'], ['y'], {}, { name: 'head' }),
  ],
  inputs: [value('x', 1, ['batch', 3])],
  outputs: [value('y', 1, ['batch', 3])],
  initializers: [floats('w', [3, 3], [1, 0, 0, 0, 1, 0, 0, 0, 1])],
});

let folder: Folder;
beforeEach(async () => {
  folder = await tempFolder();
  await folder.write('m.onnx', CLASSIFIER);
});

const validate = (...args: string[]) => cliJson(['validate', 'm.onnx', ...args], { cwd: folder.path });
const BATCH = ['--dim', 'batch=2'];

test('validate prints a report as text', async () => {
  const { code, stdout, stderr } = await cli(['validate', 'm.onnx', ...BATCH, ...QUICK], {
    cwd: folder.path,
  });
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(
    /^m\.onnx against m\.onnx \(swapped in memory, softplus form\): 1 Mish \(softplus, f32\)\n/,
  );
  expect(stdout).toMatch(/^cpu +drift of y +0?\.?\d/m);
  expect(stdout).toContain('latency: not measured');
  expect(stdout).not.toContain('\u001b');
});

test('--json is a report of the published schema', async () => {
  const { code, json, stderr } = await validate(...BATCH, '--seed', '7', '--pairs', '3', '--seconds', '0');
  expect([code, stderr]).toEqual([0, '']);
  const report = parseReport(json);
  expect(report.data).toMatchObject({ source: 'seed', seed: 7, shapes: { x: [2, 3] }, labelled: false });
  expect(report.providers).toMatchObject([{ provider: 'cpu', status: 'ran', drift: [{ output: 'y' }] }]);
  expect(report.providers[0]?.latency?.n).toBeGreaterThanOrEqual(3);
  expect(report.passed).toBe(true);
});

test('two files are compared as they are', async () => {
  await cli(['swap', 'm.onnx', '--form', 'exp'], { cwd: folder.path });
  const { json } = await validate('m.mish.onnx', ...BATCH, ...QUICK);
  expect(json.models).toMatchObject({
    original: { name: 'm.onnx', activations: 1, mish: [] },
    swapped: { name: 'm.mish.onnx', activations: 0, mish: [{ form: 'exp', count: 1 }] },
  });
  // The same file twice has no drift at all.
  const same = await validate('m.onnx', ...BATCH, ...QUICK, '--max-abs', '0');
  expect(same.code).toBe(0);
  expect(same.json.providers[0].drift[0]).toMatchObject({ maxAbs: 0, top1: 1 });
});

test('a met threshold is exit code 0, a missed one exit code 1', async () => {
  const kept = await validate(...BATCH, ...QUICK, '--max-abs', '1', '--max-kernel-error', '0.0001');
  expect(kept.code).toBe(0);
  expect(kept.json.verdicts).toMatchObject([
    { threshold: 'maxAbs', limit: 1, passed: true },
    { threshold: 'maxKernelError', limit: 0.0001, passed: true, requested: true },
  ]);
  const missed = await validate(...BATCH, ...QUICK, '--max-abs', '0.000001');
  expect(missed.code).toBe(1);
  expect(missed.json).toMatchObject({
    passed: false,
    verdicts: [
      { threshold: 'maxKernelError', requested: false },
      { threshold: 'maxAbs', passed: false },
    ],
  });
  const people = await cli(['validate', 'm.onnx', ...BATCH, ...QUICK, '--max-abs', '0.000001'], {
    cwd: folder.path,
  });
  expect(people.code).toBe(1);
  expect(people.stdout).toMatch(/^FAIL {2}cpu maxAbs: 0\.\d+ > /m);
});

test('--require takes the limits of swap --keep', async () => {
  const limits = ['--require', 'max-abs<=1', '--require', 'cosine>=-1'];
  const kept = await validate(...BATCH, ...QUICK, ...limits);
  expect(kept.code).toBe(0);
  const asFlags = await validate(...BATCH, ...QUICK, '--max-abs', '1', '--min-cosine', '-1');
  expect(kept.json.verdicts).toEqual(asFlags.json.verdicts);
  const missed = await validate(...BATCH, ...QUICK, '--max-abs', '1', '--require', 'max-abs<=0.000001');
  expect(missed.code).toBe(1);
  expect(missed.json.verdicts).toContainEqual(
    expect.objectContaining({ threshold: 'maxAbs', limit: 0.000001, passed: false }),
  );
});

test.each([
  [['--require', 'sqnr<=30'], "'sqnr<=30' has the wrong direction", 'Write sqnr>=30'],
  [['--require', 'agreement>=99'], "the limit 'agreement>=99' needs a share from 0 to 1", 'Write agreement'],
  [['--require', 'speed>=3'], "'speed' is not a measure", 'latency-ratio<=1.5'],
  [['--min-agreement', '99'], 'the threshold minAgreement is 99', 'Give a share from 0 to 1'],
])('%j is refused', async (limit, what, fix) => {
  const { code, json } = await validate(...BATCH, ...QUICK, ...limit);
  expect(code).toBe(2);
  expect(json.error).toMatchObject({ code: 'bad-usage', what, fix: expect.stringContaining(fix) });
});

test('a threshold that cannot be measured counts as missed', async () => {
  const { code, json } = await validate(...BATCH, ...QUICK, '--max-latency-ratio', '100');
  expect(code).toBe(1);
  expect(json.verdicts).toContainEqual({
    provider: 'cpu',
    threshold: 'maxLatencyRatio',
    limit: 100,
    value: null,
    passed: false,
    binding: true,
    requested: true,
  });
});

/** One that this system never has. */
const ABSENT = process.platform === 'darwin' ? 'dml' : 'coreml';

test('an unavailable provider gives exit code 3, and the others run', async () => {
  const { code, json } = await validate(...BATCH, ...QUICK, '--providers', `cpu,${ABSENT}`);
  expect(code).toBe(3);
  expect(json.providers).toMatchObject([
    { provider: 'cpu', status: 'ran' },
    { provider: ABSENT, status: 'unavailable', reason: expect.any(String), fix: expect.any(String) },
  ]);
  const people = await cli(['validate', 'm.onnx', ...BATCH, ...QUICK, '--providers', `${ABSENT},cpu`], {
    cwd: folder.path,
  });
  expect(people.code).toBe(3);
  expect(people.stdout).toMatch(new RegExp(`^${ABSENT}: not available: .*\\w`, 'm'));
});

test('a free dimension is 1 by default, and a note names it', async () => {
  const plain = await validate(...QUICK);
  expect(plain.json).toMatchObject({
    data: { shapes: { x: [1, 3] } },
    notes: ["free dimensions without a size are taken as 1: 'batch'"],
    noteOptions: { "free dimensions without a size are taken as 1: 'batch'": { dims: null } },
  });
  const all = await validate(...QUICK, '--dim', '*=2');
  expect(all.json).toMatchObject({ data: { shapes: { x: [2, 3] } }, notes: [] });
  expect((await validate(...QUICK, '--dim', 'batch=1')).json.data.shapes).toEqual({ x: [1, 3] });
  expect((await validate(...QUICK, '--shape', 'x=1x3')).json.data.shapes).toEqual({ x: [1, 3] });
  expect((await validate(...QUICK, '--shape', 'x=1x4')).json.error).toMatchObject({ code: 'bad-data' });
});

test.each([
  ['--dim', 'bach=2', "no input of the model has a symbolic dimension 'bach'", "'batch'"],
  ['--shape', 'y=1x3', "the model has no input 'y' to give a shape", "'x'"],
])('%s %s is refused, and the real names are listed', async (option, value, what, listed) => {
  const { code, json } = await validate(...QUICK, option, value);
  expect([code, json.error]).toEqual([
    2,
    expect.objectContaining({ code: 'bad-usage', what, fix: expect.stringContaining(listed) }),
  ]);
});

const SAMPLES = new Float32Array([1, 0.5, 0, 0, 2, 1, -1, 0, 3, 0.5, 2, 1]);
const LABELS = new BigInt64Array([0n, 1n, 2n, 0n]); // the last one is wrong

test('labelled samples are read from an .npz', async () => {
  const archive = zipSync({
    'x.npy': npy('<f4', [4, 3], raw(SAMPLES)),
    'y.npy': npy('<i8', [4], raw(LABELS)),
  });
  await folder.write('data.npz', archive);
  const { code, json } = await validate('--data', 'data.npz', '--labels', 'y', '--no-latency');
  expect(code).toBe(0);
  expect(json.data).toMatchObject({ source: 'npz', samples: 4, labelled: true });
  expect(json.providers[0].accuracy).toMatchObject({
    output: 'y',
    original: { n: 4, top1: 0.75 },
    swapped: { n: 4, top1: 0.75 },
  });
  const args = ['--data', 'data.npz', '--labels', 'y', '--no-latency'];
  expect((await validate(...args, '--min-top1', '0.75', '--max-top1-drop', '0')).code).toBe(0);
  const tiny = await validate(...args, '--max-top1-drop', '0.01');
  expect(tiny.json.notes).toEqual([expect.stringContaining('maxTop1Drop is in percentage points')]);
  expect((await validate(...args, '--min-top1', '0.8')).code).toBe(1);
  const absent = await validate('--data', 'data.npz', '--labels', 'z', '--no-latency');
  expect(absent).toMatchObject({
    code: 2,
    json: { error: { what: "the array 'z' for the labels is missing" } },
  });
});

test('samples are read from an .npy', async () => {
  await folder.write('any.npy', npy('<f8', [4, 3], raw(Float64Array.from(SAMPLES))));
  const { json } = await validate('--data', 'any.npy', ...BATCH, '--no-latency');
  expect(json.data).toMatchObject({ source: 'npz', runs: 2, samples: 4, shapes: { x: [2, 3] } });
});

/** A tensor as ONNX test cases hold it. */
function tensor(name: string, data: Float32Array): Uint8Array {
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return onnx.TensorProto.encode({ name, dataType: 1, dims: [data.length / 3, 3], rawData }).finish();
}

test('a folder in the ONNX test layout is read, with the expected outputs of the original', async () => {
  for (const index of [0, 1]) {
    const set = `case/test_data_set_${index}`;
    await mkdir(folder.at(set), { recursive: true });
    const x = SAMPLES.subarray(3 * index, 3 * index + 6).map(Math.abs);
    await folder.write(`${set}/input_0.pb`, tensor('x', x));
    await folder.write(`${set}/output_0.pb`, tensor('y', x)); // nothing in it is below zero
  }
  const { code, json } = await validate('--data', 'case', '--no-latency');
  expect(code).toBe(0);
  expect(json.data).toMatchObject({ source: 'onnx-test', runs: 2, samples: 4 });
  expect(json.providers[0].expected).toMatchObject([{ output: 'y', maxAbs: 0 }]);
  expect(json.providers[0].drift[0].maxAbs).toBeGreaterThan(0);
});

test('invalid data is refused', async () => {
  await folder.write('text.npz', 'no archive');
  await mkdir(folder.at('empty'));
  const cases: [string, string, RegExp][] = [
    ['text.npz', 'bad-data', /^not an \.npz archive/],
    ['empty', 'bad-data', /^the folder has no input_0\.pb$/],
    ['absent.npz', 'io', /^the file does not exist$/],
  ];
  for (const [path, code, what] of cases) {
    const { json, ...end } = await validate('--data', path, '--no-latency');
    expect(end.code).toBe(2);
    expect(json.error).toMatchObject({ code, where: path, what: expect.stringMatching(what) });
  }
});

test('names from a model are escaped in the report', async () => {
  const name = 'y\u001b[31m';
  const bytes = model({ nodes: [node('Relu', ['x'], [name])], outputs: [value(name, 1, ['N', 4])] });
  await folder.write('evil\u001b[2J.onnx', bytes);
  const { code, stdout } = await cli(['validate', 'evil\u001b[2J.onnx', '--dim', 'N=1', ...QUICK], {
    cwd: folder.path,
  });
  expect(code).toBe(0);
  expect(stdout).toContain('evil\\u001b[2J.onnx');
  expect(stdout).toContain('y\\u001b[31m');
  expect(stdout).not.toContain('\u001b');
});

test('doctor has a line for every provider, and exits 0', async () => {
  // Standard error is the drivers' as well, which have their own say about what they lack.
  const { code, stdout } = await cli(['doctor']);
  expect(code).toBe(0);
  // With no browser to start, which also has something to say. All of it again by `npm run test:heavy`.
  const none = isHeavy ? [] : ['--browser', '/bin/false'];
  const { code: again, json } = await cliJson(['doctor', ...none]);
  expect(again).toBe(0);
  const names = json.map(({ provider }: { provider: string }) => provider);
  expect(names).toEqual(expect.arrayContaining(['cpu', 'cuda', 'webgpu', 'wasm', 'webgl']));
  const lines = stdout.trimEnd().split('\n');
  expect(lines.map((line) => line.split(' ')[0])).toEqual(names);
  expect(lines[0]).toMatch(
    /^cpu +works +ONNX Runtime \d+\.\d+\.\d+, the error of the exp form is at most \d.*e-\d+$/,
  );
  // The browser is in the package, so these work wherever the tests run.
  for (const name of ['wasm', 'webgl', 'webgpu']) {
    const line = lines.find((one) => one.startsWith(`${name} `));
    expect(line).toMatch(
      /works +ONNX Runtime \d+\.\d+\.\d+, Chromium \d+\..*, the error of the (exp|softplus) form is at most \d/,
    );
  }
  expect(stdout).toMatch(/^webgl .*microsoft\/onnxruntime#32241/m);
  for (const { works, says, fix } of json) {
    expect(says).toMatch(/\w/);
    if (!works) expect(says).toContain(fix ?? '');
  }
});

test('the web providers run in a browser, and the report is written as HTML and JUnit XML', async () => {
  const out = ['--report', 'out.html', '--junit', 'out.xml'];
  const { code, json } = await validate(...BATCH, '--no-latency', '--providers', 'cpu,wasm,webgl', ...out);
  expect(code).toBe(0);
  expect(json.providers.map(({ provider, status }: Record<string, string>) => [provider, status])).toEqual([
    ['cpu', 'ran'],
    ['wasm', 'ran'],
    ['webgl', 'ran'],
  ]);
  const html = new TextDecoder().decode(await folder.read('out.html'));
  expect(html).toMatch(/^<!doctype html>/i);
  expect(html).toContain('webgl');
  expect(new TextDecoder().decode(await folder.read('out.xml'))).toMatch(/^<\?xml .*<testsuites/s);
  // Not over what is there, and said before anything runs.
  const again = await cli(['validate', 'm.onnx', ...BATCH, ...out], { cwd: folder.path });
  expect(again.code).toBe(2);
  expect(again.stderr).toContain('--force');
});

test('a browser that does not start makes its providers unavailable, with exit code 3', async () => {
  const where = ['--providers', 'cpu,wasm', '--browser', '/bin/false'];
  const { code, json } = await validate(...BATCH, ...QUICK, ...where);
  expect(code).toBe(3);
  expect(json.providers[1]).toMatchObject({
    status: 'unavailable',
    reason: expect.stringContaining('/bin/false'),
  });
});

test('a model that ONNX Runtime cannot run is an error, not a crash', async () => {
  await folder.write(
    'odd.onnx',
    reluModel({ nodes: [node('Relu', ['x'], ['a']), node('Frobnicate', ['a'], ['y'])] }),
  );
  const { code, json, stderr } = await cliJson(['validate', 'odd.onnx', '--dim', 'N=1', ...QUICK], {
    cwd: folder.path,
  });
  expect(code).not.toBe(0);
  expect(JSON.stringify(json)).toContain('Frobnicate');
  expect(stderr).not.toContain('defect');
});

test('--samples sets the number of random samples, as its earlier name --runs does', async () => {
  const runs = async (...args: string[]) =>
    (await validate(...BATCH, '--no-latency', ...args)).json.data.runs;
  expect(await runs('--samples', '3')).toBe(3);
  expect(await runs('--runs', '2')).toBe(2);
  expect(await runs()).toBe(4);
});
