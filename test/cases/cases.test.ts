import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { undo } from '../../src/mish/history.js';
import { inspect } from '../../src/mish/inspect.js';
import { retarget } from '../../src/mish/retarget.js';
import { swap } from '../../src/mish/swap.js';
import { scan } from '../../src/onnx/scan.js';
import { webglProblems } from '../../src/providers/webgl/check.js';
import { cliJson } from '../support/cli.js';
import { tempFolder } from '../support/folder.js';
import { largestError, TOLERANCE } from '../support/random-run.js';
import { openWebglPage, type WebglPage } from '../support/webgl-page.js';
import { feedsFor, onCpu } from '../support/webgl-run.js';

// Small models that once gave something wrong, each a few hundred bytes, and what is right. The tests beside the code
// generate others of the same kinds.

const folder = fileURLToPath(new URL('.', import.meta.url));
const bytesOf = (name: string) => Uint8Array.from(readFileSync(`${folder}${name}`));
const load = (name: string) => bytesOf(`${name}.onnx`);
const undone = async (bytes: Uint8Array) => (await undo(bytes)).bytes();

/** What is left alone, with the reason; the kind that swaps it as a whole where there is one. */
const SKIPPED: Record<string, readonly [reason: string, kind?: string]> = {
  guard_sqrt: ['guard'],
  guard_pow: ['guard'],
  clamp01_min_relu: ['clamp'],
  relu6_min: ['clamp', 'relu6'],
  relu6_clip_after: ['clamp', 'relu6'],
  relu6_two_relus: ['clamp', 'relu6'],
  prelu_decomposed: ['excluded', 'prelu'],
  abs_by_relu: ['arithmetic'],
  min1_by_relu: ['arithmetic'],
  max_by_relu: ['arithmetic'],
  gate_bool: ['mask'],
  sign: ['mask'],
  q_avgpool: ['quantized'],
  q_clip: ['quantized'],
  q_cast16: ['quantized'],
  q_mul: ['quantized'],
  q_brevitas: ['quantized'],
  fn_two_types: ['integer'],
  fn_opset_22_18: ['opset-mismatch'],
  fn_opset_23_21: ['opset-mismatch'],
};
const SWAPPED = [
  'only_ml_import',
  'seq_io',
  'ty_attention23',
  'ty_ml_scaler',
  'ty_ms_fusedconv',
  'ty_ms_skipln',
  'ty_optional',
  'ty_random',
  'ty_seqconcat',
  'ty_stft',
];
const MISH = [
  'mish_log_exp',
  'mish_log_exp_constnode',
  'mish_stable_div',
  'mish_softplus_beta1',
  'mish_identity',
];
const WEBGL = [
  'webgl_reshape_relu',
  'webgl_reshape_mul',
  'webgl_two_reshapes_mul',
  'webgl_conv_sigmoid',
  'webgl_conv_relu6_net',
  'webgl_parting',
];
const CALIBRATED = ['cal_ir3_inputs', 'cal_transposed_w', 'cal_dequant_w', 'cal_in_function'];
/** Has a test of its own, in test/cli/containers.test.ts, and a kind that has to be asked for. */
const OTHERS = ['skl_zipmap', 'relu6_minmax'];

test('every case has what is right', () => {
  const names = readdirSync(folder).flatMap((name) => /^(.*)\.onnx$/.exec(name)?.[1] ?? []);
  expect([...Object.keys(SKIPPED), ...SWAPPED, ...MISH, ...WEBGL, ...CALIBRATED, ...OTHERS].sort()).toEqual(
    names.sort(),
  );
});

describe('left alone, with the reason', () => {
  test.each(Object.entries(SKIPPED))('%s', async (name, [reason, kind]) => {
    const source = load(name);
    for (const form of ['softplus', 'exp'] as const) {
      const { output, report } = await swap(source, { form });
      expect(report.sites).toEqual([]);
      expect(new Set(report.skipped.map(({ reason }) => reason))).toEqual(new Set([reason]));
      for (const { why } of report.skipped) expect(why).toMatch(/\w/);
      expect(await output.bytes()).toEqual(source);
    }
    if (kind === undefined) return;
    const { output, report } = await swap(source, { only: [kind] });
    expect(report.sites).toMatchObject([{ kind }]);
    expect(await undone(await output.bytes())).toEqual(source);
  });

  test('relu6_minmax, which has no Relu, unless it is asked for', async () => {
    const source = load('relu6_minmax');
    expect((await swap(source)).report.sites).toEqual([]);
    const { output, report } = await swap(source, { only: ['relu6'] });
    expect(report.sites).toMatchObject([{ kind: 'relu6' }]);
    expect(await undone(await output.bytes())).toEqual(source);
  });
});

test.each(SWAPPED)('%s is swapped in every form that its opset has', async (name) => {
  const source = load(name);
  for (const form of [
    'softplus',
    'exp',
    ...(name === 'ty_attention23' ? ['native' as const] : []),
  ] as const) {
    const { output, report } = await swap(source, { form });
    expect(report.sites).toMatchObject([{ kind: 'relu', elemType: 'f32' }]);
    expect(await undone(await output.bytes())).toEqual(source);
  }
});

test.each(MISH)('%s is one Mish, which retarget rewrites', async (name) => {
  const source = load(name);
  expect((await inspect(source)).mish).toHaveLength(1);
  const { output, report } = await retarget(source, { form: 'exp' });
  expect(report.sites).toHaveLength(1);
  const written = await output.bytes();
  const feeds = feedsFor(source);
  expect(largestError(await onCpu(source, feeds), await onCpu(written, feeds)).error).toBeLessThan(1e-5);
  expect(await undone(written)).toEqual(source);
});

describe('on WebGL', () => {
  let page: WebglPage;
  beforeAll(async () => {
    page = await openWebglPage();
  });
  afterAll(() => page?.close());

  test.each(WEBGL)('%s is right after --target webgl, or refused beforehand', async (name) => {
    const source = load(name);
    for (const edit of [swap, retarget]) {
      const { output } = await edit(source, { target: 'webgl' });
      const written = await output.bytes();
      if (webglProblems(await scan(written)).length > 0) continue;
      const feeds = feedsFor(written);
      const outcome = await page.run(written, feeds);
      if ('error' in outcome) throw new Error(outcome.error);
      expect(largestError(await onCpu(written, feeds), outcome.outputs).error).toBeLessThan(TOLERANCE);
    }
  });
});

test.each(CALIBRATED)('%s is repaired, or says what it left alone', async (name) => {
  const here = await tempFolder();
  await here.write('m.onnx', load(name));
  await here.write('m.npz', bytesOf(`${name}.npz`));
  const { json } = await cliJson(['calibrate', 'm.onnx', '--data', 'm.npz', '-o', 'out.onnx'], {
    cwd: here.path,
  });
  const { layers, leftAlone, tuning } = json;
  if (name === 'cal_ir3_inputs') expect(tuning?.steps).toBeGreaterThan(0);
  else expect(layers.length + leftAlone.length).toBeGreaterThan(0);
  for (const { why } of leftAlone) expect(why).toMatch(/\w/);
});
