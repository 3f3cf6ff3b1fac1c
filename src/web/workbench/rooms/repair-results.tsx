import { plural } from '../../../base/plural.js';
import { activationLabel } from '../../../mish/activations.js';
import {
  describeCurved,
  describeDifference,
  describeFold,
  describeResult,
  describeSamples,
  describeSwap,
  describeTuning,
  describeUnfolded,
  LAYER_HEAD,
  LAYER_LEGEND,
  layerCells,
  notesOf,
  outputHead,
  outputRows,
  SITE_HEAD,
  siteCells,
  siteLegend,
} from '../../../render/calibration-figures.js';
import { DownloadLink } from '../page/download-link.js';
import { isSame } from '../page/is-same.js';
import { ProblemNote } from '../page/parts.js';
import { ReportButtons } from '../page/report-buttons.js';
import { TextTable } from '../page/text-table.js';
import type { RepairChoice, RepairedModel } from '../repair-protocol.js';
import { repairChoice } from './repair-choice.js';
import type { RepairParts } from './repair-parts.js';

/** Shows what a repair did: the outputs of all three models, each layer, each site, and the downloads. */
export function RepairResults({
  actions,
  repair,
  page,
  result,
  choice,
}: RepairParts & { readonly result: RepairedModel; readonly choice: RepairChoice }) {
  const { name, report } = result;
  const old = !isSame(repairChoice(repair, page), choice);
  const written = activationLabel(report.to);
  const input = page.model?.name ?? '';
  const lines = [
    ...[describeSwap(report), `${describeSamples(report.samples)}.`],
    ...[...describeCurved(report), ...describeTuning(report), ...describeFold(report)],
    ...[...describeUnfolded(report), ...notesOf(report).map((note) => `Note: ${note}.`)],
  ];
  return (
    <section class="card" aria-labelledby="repair-result-title">
      <h2 id="repair-result-title">Repaired</h2>
      {old && <p class="quiet">This result belongs to an earlier choice.</p>}
      <p class="done">{[...describeDifference(report), describeResult(report)].join(' ')}</p>
      <div class="bar">
        <DownloadLink id="download-repaired" name={name} blob={result.blob} />
        <ReportButtons
          name={name.replace(/\.\w+\.onnx$/, '.calibration')}
          report={{ input, output: name, ...report }}
          html={() => actions.html('calibrate')}
        />
      </div>
      <ProblemNote problem={repair.problems.export} />
      <TextTable
        label="Outputs"
        caption={`Outputs on ${plural(report.samples.judged, 'test sample')}, against the original’s`}
        head={outputHead(report)}
        rows={outputRows(report)}
      />
      <ul class="quiet remarks">
        {[...new Set(lines)].map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
      {report.layers.length > 0 && (
        <TextTable
          label="Layers"
          caption={LAYER_LEGEND}
          head={LAYER_HEAD}
          rows={report.layers.map((layer) => [layer.label, ...layerCells(layer)])}
        />
      )}
      <TextTable
        label="Sites"
        caption={siteLegend(report)}
        head={SITE_HEAD}
        rows={report.sites.map((site) => [site.label, ...siteCells(site, written)])}
      />
    </section>
  );
}
