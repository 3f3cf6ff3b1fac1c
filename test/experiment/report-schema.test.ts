import { expect, test } from 'vitest';
import committed from '../../src/experiment/experiment.schema.json' with { type: 'json' };
import {
  experimentJsonSchema,
  isExperimentReport,
  parseExperimentReport,
} from '../../src/experiment/report-schema.js';
import { EXPERIMENT_REPORT } from '../support/experiment-report.js';
import { type JsonSchema, undescribedFields } from '../support/json-schema.js';

test('the committed JSON Schema equals the schema in the code', () => {
  expect(committed).toEqual(JSON.parse(JSON.stringify(experimentJsonSchema())));
});

test('every field is described', () => {
  expect(undescribedFields(committed as JsonSchema, 'report')).toEqual([]);
});

test('a report is read again, and an invalid one is refused with the name of its invalid field', () => {
  expect(parseExperimentReport(JSON.parse(JSON.stringify(EXPERIMENT_REPORT)))).toEqual(EXPERIMENT_REPORT);
  const wrong = { ...EXPERIMENT_REPORT, data: { ...EXPERIMENT_REPORT.data, train: 'many' } };
  expect(() => parseExperimentReport(wrong, 'e.json')).toThrow(
    expect.objectContaining({
      ...{ code: 'bad-data', where: 'e.json', what: expect.stringContaining('data.train') },
    }),
  );
});

test('a report of an experiment is told from other documents', () => {
  expect(isExperimentReport({ schema: 'onnx-mish/experiment@9' })).toBe(true);
  for (const other of [null, 3, [], {}, { schema: 7 }, { schema: 'onnx-mish/finetune@1' }])
    expect(isExperimentReport(other)).toBe(false);
});
