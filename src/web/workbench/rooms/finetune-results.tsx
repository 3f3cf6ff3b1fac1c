import { plural } from '../../../base/plural.js';
import { samplesOfScore } from '../../../finetune/samples-of-score.js';
import {
  COMPARISON_HEAD,
  comparisonRows,
  describeParts,
  describeSites,
  scoreHead,
  scoreRows,
} from '../../../render/finetune-figures.js';
import { DownloadLink } from '../page/download-link.js';
import { ProblemNote } from '../page/parts.js';
import { ReportButtons } from '../page/report-buttons.js';
import { TextTable } from '../page/text-table.js';
import type { FinetunedModel } from '../room-protocol.js';
import type { FinetuneParts } from './finetune-parts.js';

/** Shows the conclusion, the scores, and the downloads of a finished training. */
export function FinetuneResults({
  actions,
  finetune,
  result,
}: FinetuneParts & { readonly result: FinetunedModel }) {
  const { name, report } = result;
  const base = name.replace(/\.\w+\.onnx$/, '.finetune');
  return (
    <section class="card" aria-labelledby="finetune-result-title">
      <h2 id="finetune-result-title">Result</h2>
      <p class="done">{report.conclusion}</p>
      <ul class="quiet remarks">
        {[describeSites(report), describeParts(report), ...report.notes.map((note) => `Note: ${note}.`)].map(
          (line) => (
            <li key={line}>{line}</li>
          ),
        )}
      </ul>
      <div class="bar">
        <DownloadLink id="download-trained" name={name} blob={result.blob} />
        <ReportButtons
          name={base}
          report={{ input: report.model, output: name, ...report }}
          html={() => actions.html()}
        />
      </div>
      <ProblemNote problem={finetune.problems.export} />
      <TextTable
        label="Scores"
        caption={`Scores on ${plural(samplesOfScore(report.start.original, report.data), 'test sample')}`}
        head={scoreHead(report)}
        rows={scoreRows(report)}
      />
      {report.comparison !== null && (
        <TextTable
          label="Comparison"
          caption="Swapped model and original, trained as long"
          head={COMPARISON_HEAD}
          rows={comparisonRows(report)}
        />
      )}
    </section>
  );
}
