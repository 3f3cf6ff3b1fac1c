import { MAX_UNIT_SAMPLES } from '../../finetune/limits.js';
import type { FinetuneReport } from '../../finetune/report-schema.js';
import {
  armName,
  COMPARISON_HEAD,
  comparisonRows,
  describeParts,
  describeSites,
  describeTraining,
  MOVED_HEAD,
  movedLegend,
  movedRows,
  scoreHead,
  scoreRows,
  UNITS_HEAD,
  unitRows,
} from '../finetune-figures.js';
import { type CurvePart, type CurvePoint, type ScoreFigure, scoreCharts } from './curves.js';
import { htmlDocument } from './document.js';
import { Charts, FactList, Name, Table } from './parts.js';

/** Returns an HTML page with the report of a fine-tuning. The text in `report` must be printable. */
export async function finetunePage(report: FinetuneReport): Promise<string> {
  const charts = await scoreCharts((value) => pointsOf(report, value), curvesOf(report));
  return htmlDocument(
    `Fine-tuning of ${report.model}`,
    <>
      <p class="eyebrow">onnx-mish finetune</p>
      <h1>
        <Name text={report.model} longest={120} />, trained
      </h1>
      <div class="wide">
        <p>{report.conclusion}</p>
        <FactList
          facts={{
            swapped: <span>{describeSites(report)}</span>,
            samples: <span>{describeParts(report)}</span>,
            training: <span>{describeTraining(report)}</span>,
          }}
        />
        {report.notes.map((note) => (
          <p class="soft">Note: {note}.</p>
        ))}
      </div>
      <Scores report={report} />
      <Charts title="Curves" charts={charts} />
      {report.units.length > 0 && <Units report={report} />}
      <Moved report={report} />
    </>,
  );
}

interface Props {
  readonly report: FinetuneReport;
}

function Scores({ report }: Props) {
  return (
    <>
      <h2>Scores on the test part</h2>
      <div class="wide">
        <Table head={scoreHead(report)} rows={scoreRows(report)} />
        {report.comparison !== null && <Table head={COMPARISON_HEAD} rows={comparisonRows(report)} />}
        <p class="soft">
          The test part took part in no choice. Both arms of a seed were trained with the same batches.
        </p>
      </div>
    </>
  );
}

function Units({ report }: Props) {
  return (
    <>
      <h2>Units that are never positive</h2>
      <div class="wide">
        <Table
          head={UNITS_HEAD}
          rows={unitRows(report).map(([site, ...counts]) => [<Name text={String(site)} />, ...counts])}
        />
        <p class="soft">
          Units (channels or features) whose input was never positive on at most {MAX_UNIT_SAMPLES} test
          samples: in the original before, in the swapped model after, in the control after. ReLU outputs only
          0 there and passes no gradient; smooth activations pass one.
        </p>
      </div>
    </>
  );
}

function Moved({ report }: Props) {
  return (
    <>
      <h2>Change of the weights</h2>
      <div class="wide">
        <Table
          head={MOVED_HEAD}
          rows={movedRows(report).map(([weight, change, control]) => [
            <Name text={weight} />,
            change,
            control,
          ])}
        />
        <p class="soft">{movedLegend(report)}</p>
      </div>
    </>
  );
}

/** Returns the points of all runs; `value` takes the figure of an epoch's part. */
function pointsOf({ runs, to }: FinetuneReport, value: ScoreFigure): CurvePoint[] {
  return runs.flatMap(({ arm, seed, before, epochs }) => {
    const series = armName(arm, to);
    const point = (part: CurvePart, epoch: number, score: Parameters<ScoreFigure>[0] | null) => {
      const figure = score === null ? null : value(score);
      return figure === null ? [] : [{ series, run: `${series}, seed ${seed}`, part, epoch, value: figure }];
    };
    return [
      ...epochs.flatMap((one) => point('training', one.epoch, one)),
      ...point('validation', 0, before),
      ...epochs.flatMap((one) => point('validation', one.epoch, one.validation)),
    ];
  });
}

const curvesOf = ({ to }: FinetuneReport) => ({
  series: [armName('swapped', to), armName('original', to)],
  caption: 'By epoch: whole lines on the validation part, dotted lines on the training batches.',
});
