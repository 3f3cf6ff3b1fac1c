import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { onnx } from '../../proto/onnx.js';
import { FORMS, type Form } from '../../src/mish/forms.js';
import { undo } from '../../src/mish/metadata.js';
import { findSites, formObstacle } from '../../src/mish/sites.js';
import { swap } from '../../src/mish/swap.js';
import { opsetOf } from '../../src/onnx/document.js';
import { scan } from '../../src/onnx/scan.js';
import { splice } from '../../src/onnx/splice.js';
import { expectMish } from '../support/mish.js';
import { type Feed, OPTIMISERS, run } from '../support/run.js';

/**
 * The ONNX backend tests, from Debian's package libonnx-testdata. Every model goes through scan and splice;
 * every one with an activation is swapped, run, and compared with the float64 Mish of its reference input.
 * That reference is independent of ONNX Runtime. It asks for models that are one activation from input to
 * output, which all of these are; the test that counts them fails when a newer package brings others.
 */
const ROOT = '/usr/share/libonnx-testdata/data';

function modelsIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('model.onnx'))
    .map((path) => join(folder, path))
    .sort();
}

const paths = existsSync(ROOT) ? modelsIn(ROOT) : [];
if (paths.length === 0) {
  console.log(`conformance: skipped, for ${ROOT} is not there (install Debian's package libonnx-testdata)`);
}
const name = (path: string) => relative(ROOT, path).replace(/\/model\.onnx$/, '');
const read = (path: string) => Uint8Array.from(readFileSync(path));

const count = { models: 0, identical: 0, withSites: 0, swappedAndRun: 0, raised: 0 };
const skipped = new Map<string, number>();
const withSites: string[] = [];
const arithmetic: string[] = [];
for (const path of paths) {
  const { sites, skipped: left } = findSites(await scan(read(path)));
  if (sites.length > 0) withSites.push(path);
  for (const { reason } of left) skipped.set(reason, (skipped.get(reason) ?? 0) + 1);
  if (left.some(({ reason }) => reason === 'arithmetic')) arithmetic.push(path);
}

/** The tensor of `input_0.pb` or `output_0.pb`, the ONNX test layout. */
function tensorOf(path: string, file: string): Feed {
  const bytes = readFileSync(path.replace(/model\.onnx$/, `test_data_set_0/${file}`));
  const { dims, dataType, rawData, floatData } = onnx.TensorProto.decode(bytes);
  expect(dataType).toBe(1);
  const raw = Uint8Array.from(rawData).buffer;
  return { type: 'f32', dims, data: raw.byteLength > 0 ? [...new Float32Array(raw)] : floatData };
}

/**
 * The same model at opset 7. ONNX Runtime has no Mul, Add or Div before it. What these models hold means the
 * same at 6 and 7, but that the attribute `broadcast` is then neither needed nor known.
 */
function raised(bytes: Uint8Array): Uint8Array {
  const message = onnx.ModelProto.decode(bytes);
  message.opsetImport = [{ domain: '', version: 7 }];
  for (const node of message.graph?.node ?? []) {
    const at = (node.attribute ?? []).findIndex((attribute) => attribute.name === 'broadcast');
    if (at >= 0) node.attribute?.splice(at, 1);
  }
  return Uint8Array.from(onnx.ModelProto.encode(message).finish());
}

describe.skipIf(paths.length === 0)('the ONNX backend models', () => {
  test('all go through scan and splice byte for byte', async () => {
    for (const path of paths) {
      count.models++;
      const source = read(path);
      const document = await scan(source);
      const same = await splice(document.source, []).bytes();
      expect(Buffer.compare(same, source), name(path)).toBe(0);
      // As Blob and through a swap as well: without a site the output is the input, with one undo gives it back.
      const { output, report } = await swap(new Blob([source]));
      const written = await output.bytes();
      const back = report.sites.length === 0 ? written : await (await undo(written)).bytes();
      expect(Buffer.compare(back, source), name(path)).toBe(0);
      count.identical++;
    }
    expect(count.identical).toBe(paths.length);
  });

  test('with an activation each have one site, from the input to the output', async () => {
    expect(withSites.length).toBeGreaterThan(0);
    for (const path of withSites) {
      count.withSites++;
      const { graph } = await scan(read(path));
      const [node, ...others] = graph.nodes;
      expect(others, name(path)).toEqual([]);
      expect(node?.inputs[0], name(path)).toBe(graph.inputs[0]?.name);
      expect(node?.outputs[0], name(path)).toBe(graph.outputs[0]?.name);
    }
  });

  const cases = withSites.flatMap((path) =>
    Object.values(FORMS).map((form) => ({ label: name(path), path, form })),
  );
  test.each(cases)('$label as $form.name', async ({ path, form }) => {
    const source = read(path);
    const { graph } = await scan(source);
    const opset = opsetOf(graph);
    if (opset < form.opset) {
      const refused = `${form.name} needs opset ${form.opset}`;
      skipped.set(refused, (skipped.get(refused) ?? 0) + 1);
      await expect(swap(source, { form: form.name })).rejects.toMatchObject({ code: 'unsupported-form' });
      return;
    }
    expect(obstacle(form, await scan(source))).toBeUndefined();
    const { output, report } = await swap(source, { form: form.name });
    expect(report.sites).toHaveLength(1);
    const bytes = await output.bytes();
    const input = tensorOf(path, 'input_0.pb');
    const [feed, result] = [graph.inputs[0]?.name ?? '', graph.outputs[0]?.name ?? ''];
    if (opset < 7) {
      // The original runs, so the swapped model has to say that it does not.
      expect(report.notes[0]).toContain('convert the model to opset 7');
      await expect(run(bytes, { [feed]: input })).rejects.toThrow(/find an implementation/);
      count.raised++;
    }
    for (const optimiser of OPTIMISERS) {
      // The package's own reference output shows that feeds and names are the right ones.
      const before = await run(source, { [feed]: input }, optimiser);
      tensorOf(path, 'output_0.pb').data.forEach((want, at) => {
        expect(before[result]?.[at]).toBeCloseTo(want, 5);
      });
      const after = await run(opset < 7 ? raised(bytes) : bytes, { [feed]: input }, optimiser);
      expectMish(after[result], input.data);
    }
    count.swappedAndRun++;
  });

  test('that calculate with a Relu are left alone: test_range_*_expanded', async () => {
    expect(arithmetic.map(name)).toEqual([
      'node/test_range_float_type_positive_delta_expanded',
      'node/test_range_int32_type_negative_delta_expanded',
    ]);
    for (const path of arithmetic) {
      const source = read(path);
      const { output, report } = await swap(source);
      expect(report.sites).toEqual([]);
      expect(report.skipped.map(({ reason }) => reason)).toEqual(['arithmetic']);
      expect(await output.bytes()).toEqual(source);
    }
  });

  afterAll(() => {
    const reasons = [...skipped].map(([reason, times]) => `${times} × ${reason}`).join(', ');
    console.log(
      `conformance: ${count.models} models | ${count.identical} byte-identical | ${count.withSites} with sites | ` +
        `${count.swappedAndRun} swapped and run, ${count.raised} of them raised from opset 6 to 7 | skipped: ${reasons}`,
    );
  });
});

function obstacle(form: Form, document: Awaited<ReturnType<typeof scan>>) {
  const [site] = findSites(document).sites;
  return site && formObstacle(form, site.type, site.scope, { beta: 1 });
}
