// `npm run conformance -- [folder or model ...]`: every model found (the ONNX backend tests of Debian's libonnx-testdata
// unless told otherwise) through scan, splice, swap in each form, undo, ONNX Runtime, ONNX's checker and independent readers.
// --python PROGRAM names a Python with onnx, and netron if that is to read, too (python3); without one those are skipped.
// --json FILE keeps every result.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { plainTable } from '../../src/render/terminal.js';
import { BACKEND_TESTS } from '../support/models.js';
import { casesIn } from './cases.js';
import { CHECKS, checkModel, type Result, type Swapped } from './check.js';
import { differInPage, differInProcess } from './determinism.js';
import { startPython } from './python.js';
import { netron, onnxProto } from './summary.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { python: { type: 'string', default: 'python3' }, json: { type: 'string' } },
});
const roots = positionals.length > 0 ? positionals : BACKEND_TESTS === undefined ? [] : [BACKEND_TESTS];
if (roots.length === 0) {
  console.log('nothing to check: install Debian’s package libonnx-testdata, or name a folder of models');
  process.exit(2);
}

const python = startPython(values.python);
const readers = [onnxProto];
const seeing: string[] = [];
if (typeof python === 'string') seeing.push(`Python’s onnx: skipped, ${python}`);
else {
  seeing.push(`Python’s onnx ${python.version}: checker, onnx.reference, reader`);
  if (python.netron === undefined) seeing.push('Netron’s reader: skipped, that Python has no package netron');
  else {
    readers.push(await netron(python.netron));
    seeing.push('Netron’s reader');
  }
}
const folder = mkdtempSync(join(tmpdir(), 'onnx-mish-conformance-'));
const results: Result[] = [];
const swapped: Swapped[] = [];
const cases = roots.flatMap(casesIn);
try {
  for (const [at, one] of cases.entries()) {
    if (process.stderr.isTTY) process.stderr.write(`\r${at + 1} of ${cases.length}\u001b[K`);
    const checked = await checkModel(one, { folder, readers, python });
    results.push(...checked.results);
    swapped.push(...checked.swapped);
  }
} finally {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  rmSync(folder, { recursive: true, force: true });
  if (typeof python !== 'string') python.close();
}

interface Row {
  readonly label: string;
  readonly results: readonly Pick<Result, 'outcome' | 'why' | 'model'>[];
}
const rows: Row[] = CHECKS.map((check) => ({
  label: check,
  results: results.filter((result) => result.check === check),
}));
const same = (label: string, different: readonly Swapped[] | string): Row => ({
  label,
  results: swapped.map((one) => {
    const model = `${one.path} (${one.form})`;
    if (typeof different === 'string') return { model, outcome: 'skipped', why: different };
    return {
      model,
      ...(different.includes(one) ? { outcome: 'failed', why: 'other bytes' } : { outcome: 'passed' }),
    };
  }),
});
rows.push(same('the same bytes in a second process', differInProcess(swapped)));
rows.push(same('the same bytes in a third process', differInProcess(swapped)));
rows.push(same('the same bytes in a page', await differInPage(swapped)));

const count = (row: Row, outcome: Result['outcome']) =>
  row.results.filter((result) => result.outcome === outcome).length;
console.log(`${cases.length} models in ${roots.join(', ')}; ${seeing.join('; ')}\n`);
console.log(
  plainTable(
    ['check', 'cases', 'passed', 'skipped', 'failed'],
    rows.map((row) => [
      row.label,
      String(row.results.length),
      ...(['passed', 'skipped', 'failed'] as const).map((outcome) => String(count(row, outcome))),
    ]),
  ),
);
for (const outcome of ['skipped', 'failed'] as const) {
  const reasons = new Map<string, string[]>();
  for (const row of rows) {
    for (const { model, why = '', ...result } of row.results) {
      if (result.outcome !== outcome) continue;
      const key = `${row.label}: ${why}`;
      reasons.set(key, [...(reasons.get(key) ?? []), model]);
    }
  }
  if (reasons.size > 0) console.log(`\n${outcome}`);
  for (const [reason, models] of reasons) {
    const [first, ...rest] = models;
    console.log(`  ${models.length} × ${reason} (${first}${rest.length > 0 ? ', …' : ''})`);
  }
}
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results, null, 1));
if (rows.some((row) => count(row, 'failed') > 0)) process.exitCode = 1;
