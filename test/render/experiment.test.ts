import { expect, test } from 'vitest';
import { concludeExperiment } from '../../src/experiment/results.js';
import { REPLACEMENTS } from '../../src/mish/activation-kinds.js';
import { renderExperiment } from '../../src/render/index.js';
import { EXPERIMENT_REPORT } from '../support/experiment-report.js';

/** A report in which each activation but the first differs from it clearly. */
function reportOf(activations: readonly string[]) {
  const [relu] = EXPERIMENT_REPORT.results;
  const settings = { ...EXPERIMENT_REPORT.settings, activations: [...activations] };
  const results = activations.flatMap((activation, at) => {
    const difference = at === 0 ? null : { value: -0.0123, low: -0.0223, high: -0.0023, seeds: 5 };
    return relu === undefined ? [] : [{ ...relu, activation, difference }];
  });
  const conclusion = concludeExperiment({ ...EXPERIMENT_REPORT, settings }, results);
  return { ...EXPERIMENT_REPORT, settings, results, conclusion };
}

test('the text has the conclusion whole, however many activations are compared', () => {
  const all = ['relu', ...REPLACEMENTS.filter((name) => name !== 'relu')];
  for (let count = 2; count <= all.length; count++) {
    const report = reportOf(all.slice(0, count));
    expect(report.conclusion.match(/worse than ReLU/g)).toHaveLength(count - 1);
    expect(renderExperiment(report)).toContain(report.conclusion);
  }
});

test('very long text from a report is cut', () => {
  const text = renderExperiment({ ...EXPERIMENT_REPORT, conclusion: 'x'.repeat(1e6) });
  expect(text.length).toBeLessThan(1e4);
});
