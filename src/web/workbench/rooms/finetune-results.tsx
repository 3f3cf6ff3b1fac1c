import { useState } from 'preact/hooks';
import {
  COMPARISON_HEAD,
  comparisonRows,
  describeParts,
  describeSites,
  SCORE_HEAD,
  scoreRows,
} from '../../../render/finetune-figures.js';
import { DownloadLink } from '../page/download-link.js';
import { download } from '../page/files.js';
import { ProblemNote } from '../page/parts.js';
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
  const [drawing, setDrawing] = useState(false);
  const base = name.replace(/\.mish\.onnx$/, '.finetune');
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
        <button
          type="button"
          onClick={() =>
            download(
              `${base}.json`,
              new Blob([`${JSON.stringify(report, null, 2)}\n`], { type: 'application/json' }),
            )
          }
        >
          Report as JSON
        </button>
        <button
          type="button"
          disabled={drawing}
          onClick={async () => {
            setDrawing(true);
            const html = await actions.html();
            setDrawing(false);
            if (html !== undefined) download(`${base}.html`, new Blob([html], { type: 'text/html' }));
          }}
        >
          {drawing ? 'Drawing …' : 'Report as HTML'}
        </button>
      </div>
      <ProblemNote problem={finetune.problems.export} />
      <TextTable
        label="Scores"
        caption={`Scores on the ${report.data.test} test samples`}
        head={SCORE_HEAD}
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
