import { verdictText, verdictWord } from '../../render/figures.js';
import type { Report } from '../../validate/report-schema.js';
import { annotate } from './annotate.js';

/** Prints annotations of a validation: what failed as errors, findings and missing providers as warnings, the conclusion. */
export function annotateReport({ providers, verdicts, conclusion }: Report, file: string): void {
  for (const { provider, status, reason } of providers) {
    if (status === 'failed') annotate('error', `${provider} failed: ${reason}`, file);
    if (status === 'unavailable') annotate('warning', `${provider} is not available: ${reason}`, file);
  }
  for (const verdict of verdicts) {
    const word = verdictWord(verdict);
    if (word === 'pass') continue;
    annotate(
      word === 'FAIL' ? 'error' : 'warning',
      `${word}: ${verdict.provider} ${verdictText(verdict)}`,
      file,
    );
  }
  if (conclusion !== undefined) annotate('notice', conclusion, file);
}
