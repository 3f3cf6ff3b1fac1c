import { describe, expect, test } from 'vitest';
import { driftMeter } from '../../src/metrics/drift.js';
import { summarise } from '../../src/render/summary.js';
import { conclusionOf } from '../../src/validate/conclusion.js';

type Facts = Parameters<typeof conclusionOf>[0];
type Row = Facts['providers'][number];

const data = { source: 'npz', seed: null, samples: 2, sha256: '' } as unknown as Facts['data'];
const scores = (rows: number[][]) => {
  const dims = [rows.length, rows[0]?.length ?? 0];
  return { elemType: 'f32', dims, data: Float32Array.from(rows.flat()) } as const;
};
/** The drift of one output. */
function driftOf(before: number[][], after: number[][]) {
  const meter = driftMeter('y');
  meter.add(scores(before), scores(after));
  return meter.result();
}
const row = (more: Partial<Row>): Row => {
  return { provider: 'cpu', status: 'ran', drift: [], accuracy: null, latency: null, runtime: null, ...more };
};
const latency = (value: number) =>
  ({ ratio: { value, low: value, high: value } }) as unknown as NonNullable<Row['latency']>;
const same = [driftOf([[1, 0]], [[1, 0]])];

describe('the conclusion', () => {
  test('says how accuracy, answers and time changed', () => {
    const accuracy: Row['accuracy'] = {
      output: 'y',
      original: { n: 10_000, top1: 0.9265, top5: 1 },
      swapped: { n: 10_000, top1: 0.9261, top5: 1 },
      difference: { value: -0.0004, low: -0.002, high: 0.001, midP: 0.6 },
    };
    const drift = [
      driftOf(
        [
          [1, 0],
          [0, 1],
        ],
        [
          [2, 0],
          [1, 0],
        ],
      ),
    ];
    const providers = [
      row({ accuracy, drift, latency: latency(1.19) }),
      row({ provider: 'wasm', drift, latency: latency(1.4) }),
    ];
    expect(conclusionOf({ data, providers })).toBe(
      'On 10,000 samples top-1 goes from 92.65 % to 92.61 % (−0.04 points, 95 % interval −0.20 to +0.10; McNemar’s mid-p = 0.6); ' +
        '50.0 % of answers are the same; a run takes 1.19 times as long on cpu, 1.40 times as long on wasm.',
    );
  });

  test('measures no distance between labels', () => {
    const meter = driftMeter('label');
    const labels = (...values: number[]) =>
      ({ elemType: 'i64', dims: [values.length], data: BigInt64Array.from(values, BigInt) }) as const;
    meter.add(labels(0, 1, 2, 7), labels(0, 1, 9, 2));
    const conclude = (drift: Row['drift']) => conclusionOf({ data, providers: [row({ drift })] });
    expect(conclude([meter.result()])).toBe('On 2 samples 50.0 % of answers are the same.');
    const scores = driftOf([[1, 0]], [[1.001, 0]]);
    expect(conclude([meter.result(), scores])).toBe(
      'On 2 samples 50.0 % of the answers of label are the same; outputs are within 60 dB (SQNR) of the original’s.',
    );
  });

  test('of several labels for each sample speaks of labels, and not of places, top-1 or the highest of them', () => {
    const of = (top1: number, exactMatch: number, microF1: number | null) => ({
      ...{ n: 300, top1, top5: null, places: 1800 },
      multiLabel: { exactMatch, microF1, macroF1: microF1 },
    });
    const accuracy: Row['accuracy'] = {
      ...{ output: 'y', original: of(0.95, 0.7, 0.9), swapped: of(0.9, 0.5, null) },
      difference: { value: -0.05, low: -0.06, high: -0.04, midP: null },
    };
    const drift = [driftOf([[1, 0]], [[0, 1]])];
    expect(conclusionOf({ data, providers: [row({ accuracy, drift })] })).toBe(
      'On 300 samples the share of right labels goes from 95.00 % to 90.00 % (−5.00 points, 95 % interval −6.00 to −4.00); ' +
        'samples with all labels right from 70.00 % to 50.00 %; micro F1 from 0.900 to –, macro F1 from 0.900 to –.',
    );
  });

  test('rounds decibels to hundredths, so that none looks exact near 0', () => {
    const meter = driftMeter('y');
    meter.add(scores([[1, 0]]), scores([[2.0001, 0]]));
    const drift = [meter.result()];
    expect(drift[0]?.sqnr).toBeLessThan(0);
    expect(conclusionOf({ data, providers: [row({ drift })] })).toContain(' within 0 dB (SQNR)');
  });

  test('has the interval of a time that a busy machine leaves open', () => {
    const ratio = { value: 1, low: 0.0241, high: 9.89 };
    const open = { ratio } as unknown as NonNullable<Row['latency']>;
    const providers = [row({ drift: same, latency: open }), row({ provider: 'wasm', latency: latency(1.4) })];
    expect(conclusionOf({ data, providers })).toContain(
      'a run takes 1.00 times as long (95 % interval 0.02 to 9.89) on cpu, 1.40 times as long on wasm.',
    );
  });

  test('says nothing of the time of an emulated GPU', () => {
    const runtime = { software: true } as unknown as Row['runtime'];
    const found = conclusionOf({ data, providers: [row({ drift: same, latency: latency(2), runtime })] });
    expect(found).toBe('On 2 samples 100.0 % of answers are the same; all outputs are the same.');
  });

  test('names an output that is not finite, and shortens its name', () => {
    const drift = [{ ...driftOf([[1, 0]], [[Number.NaN, 0]]), output: 'y'.repeat(500) }];
    const found = conclusionOf({ data, providers: [row({ drift })] });
    expect(found).toMatch(/^On 2 samples the output y{80} is not finite\.$/);
    const both = conclusionOf({
      data,
      providers: [row({ drift: [driftOf([[Number.NaN]], [[Number.NaN]])] })],
    });
    expect(both).toBe('On 2 samples the output y is not finite, and that of the original is not either.');
  });

  test('gives the distance of outputs that are no class scores', () => {
    const meter = driftMeter('y');
    const tensor = (scale: number) => ({
      elemType: 'f32',
      dims: [4],
      data: Float32Array.of(1, 2, 3, 4).map((x) => scale * x),
    });
    meter.add(tensor(1), tensor(1.1));
    const noise = { ...data, source: 'seed' } as Facts['data'];
    expect(conclusionOf({ data: noise, providers: [row({ drift: [meter.result()] })] })).toBe(
      'On noise outputs are within 20 dB (SQNR) of the original’s.',
    );
  });

  test('shows no difference of 100 % where one of many answers is another', () => {
    const rows = Array.from({ length: 10_000 }, () => [1, 0]);
    const drift = [driftOf(rows, rows.with(17, [0, 1]))];
    expect(conclusionOf({ data, providers: [row({ drift })] })).toBe(
      'On 2 samples 99.99 % of answers are the same; outputs are within 37 dB (SQNR) of the original’s.',
    );
  });

  test('is about the output whose answers changed most, by its name', () => {
    const other = { ...driftOf([[1, 0]], [[0, 1]]), output: 'z' };
    for (const drift of [
      [...same, other],
      [other, ...same],
    ])
      expect(conclusionOf({ data, providers: [row({ drift })] })).toBe(
        'On 2 samples 0.0 % of the answers of z are the same; outputs are within −3.01 dB (SQNR) of the original’s.',
      );
  });

  test('does not pass over an output without a signal in the original', () => {
    const silent = driftOf([[0]], [[1]]);
    const near = { ...driftOf([[1]], [[1.01]]), output: 'near' };
    for (const drift of [[silent], [near, silent], [silent, near]]) {
      expect(conclusionOf({ data, providers: [row({ drift })] })).toBe(
        'On 2 samples the output y is 0 throughout in the original only.',
      );
      const report = { providers: [row({ drift })], verdicts: [] } as unknown as Parameters<
        typeof summarise
      >[0];
      expect(
        summarise({
          ...report,
          providers: report.providers.map((one) => ({ ...one, parity: null, kernel: [] })),
        })[0]?.drift,
      ).toBe('−∞');
    }
  });

  test('says so where nothing ran', () => {
    expect(conclusionOf({ data, providers: [row({ status: 'failed' })] })).toBe(
      'No provider ran both models.',
    );
    expect(conclusionOf({ data, providers: [row({})] })).toBe('Nothing was measured.');
  });
});
