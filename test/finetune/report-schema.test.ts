import { expect, test } from 'vitest';
import committed from '../../src/finetune/finetune.schema.json' with { type: 'json' };
import {
  finetuneJsonSchema,
  isFinetuneReport,
  parseFinetuneReport,
} from '../../src/finetune/report-schema.js';
import { FINETUNE_REPORT } from '../support/finetune-report.js';
import { type JsonSchema, undescribedFields } from '../support/json-schema.js';

test('the committed JSON Schema equals the schema in the code', () => {
  expect(committed).toEqual(JSON.parse(JSON.stringify(finetuneJsonSchema())));
});

test('every field is described', () => {
  expect(undescribedFields(committed as JsonSchema, 'report')).toEqual([]);
});

test('a report is read again, and an invalid one is refused with the name of its invalid field', () => {
  expect(parseFinetuneReport(JSON.parse(JSON.stringify(FINETUNE_REPORT)))).toEqual(FINETUNE_REPORT);
  const wrong = { ...FINETUNE_REPORT, latency: { ...FINETUNE_REPORT.latency, ratio: 'two' } };
  expect(() => parseFinetuneReport(wrong, 'f.json')).toThrow(
    expect.objectContaining({
      code: 'bad-data',
      where: 'f.json',
      what: expect.stringContaining('latency.ratio'),
    }),
  );
  expect(() => parseFinetuneReport({ ...FINETUNE_REPORT, schema: 'onnx-mish/finetune@2' })).toThrow(/schema/);
});

test('a report of a fine-tuning is told from other documents', () => {
  expect(isFinetuneReport(FINETUNE_REPORT)).toBe(true);
  expect(isFinetuneReport({ schema: 'onnx-mish/finetune@9' })).toBe(true);
  for (const other of [null, 3, [], {}, { schema: 7 }, { schema: 'onnx-mish/report@2' }])
    expect(isFinetuneReport(other)).toBe(false);
});
