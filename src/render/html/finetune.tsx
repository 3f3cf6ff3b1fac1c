import type { FinetuneReport } from '../../finetune/report-schema.js';
import { figure } from '../figures.js';
import {
  accuracyText,
  armName,
  COMPARISON_HEAD,
  comparisonRows,
  describeParts,
  describeSites,
  describeTraining,
  MOVED_HEAD,
  movedRows,
  SCORE_HEAD,
  scoreRows,
  UNITS_HEAD,
  unitRows,
} from '../finetune.js';
import { htmlDocument } from './document.js';
import { colourBy, draw, legendOf, tip } from './draw.js';
import { ChartCard, FactList, Name, Table, type TabledChart } from './parts.js';

/** Returns an HTML page with the report of a fine-tuning. The text in `report` must be printable. */
export async function finetunePage(report: FinetuneReport): Promise<string> {
  const charts = [await lossChart(report), await accuracyChart(report)].filter(
    (chart) => chart !== undefined,
  );
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
      <h2>Curves</h2>
      <div class="grid">
        {charts.map((chart) => (
          <ChartCard chart={chart} />
        ))}
      </div>
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
        <Table head={SCORE_HEAD} rows={scoreRows(report)} />
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
          Units (channels or features) whose input was never positive on the test samples: in the original
          before, in the swapped model after, in the control after. ReLU outputs only 0 there and passes no
          gradient; smooth activations pass one.
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
        <p class="soft">
          Norm of the difference divided by the norm before, in the first seed. The swapped model starts from
          its repaired weights.
        </p>
      </div>
    </>
  );
}

interface Point {
  readonly run: string;
  readonly arm: string;
  readonly part: string;
  readonly epoch: number;
  readonly value: number;
  readonly tip: string;
}

/** Returns the points of all runs; `value` takes the figure of an epoch's part. */
function pointsOf(
  { runs, to }: FinetuneReport,
  value: (score: { loss: number; accuracy: number | null }) => number | null,
  text: (value: number) => string,
): Point[] {
  return runs.flatMap(({ arm, seed, before, epochs }) => {
    const name = armName(arm, to);
    const point = (part: string, epoch: number, score: Parameters<typeof value>[0] | null): Point[] => {
      const figure = score === null ? null : value(score);
      if (figure === null || !Number.isFinite(figure)) return [];
      const tip = `${name}, seed ${seed}\n${part}, epoch ${epoch}\n${text(figure)}`;
      return [{ run: `${name}, seed ${seed}, ${part}`, arm: name, part, epoch, value: figure, tip }];
    };
    return [
      ...epochs.flatMap((one) => point(TRAINING, one.epoch, one)),
      ...point(VALIDATION, 0, before),
      ...epochs.flatMap((one) => point(VALIDATION, one.epoch, one.validation)),
    ];
  });
}

const TRAINING = 'training';
const VALIDATION = 'validation';

function lossChart(report: FinetuneReport): Promise<TabledChart | undefined> {
  const points = pointsOf(
    report,
    ({ loss }) => loss,
    (loss) => `loss ${figure(loss, 4)}`,
  );
  return curveChart('Loss', points, (value) => figure(value, 4), report.to);
}

function accuracyChart(report: FinetuneReport): Promise<TabledChart | undefined> {
  const points = pointsOf(
    report,
    ({ accuracy }) => (accuracy === null ? null : 100 * accuracy),
    (accuracy) => `accuracy ${accuracyText(accuracy / 100)}`,
  );
  return curveChart('Accuracy, %', points, (value) => accuracyText(value / 100), report.to);
}

/** Draws a line for each run and part over the epochs; undefined without points. */
async function curveChart(
  title: string,
  points: readonly Point[],
  text: (value: number) => string,
  to: string,
): Promise<TabledChart | undefined> {
  if (points.length === 0) return undefined;
  const legend = legendOf([armName('swapped', to), armName('original', to)]);
  const last = Math.max(1, ...points.map(({ epoch }) => epoch));
  const x = {
    field: 'epoch',
    type: 'quantitative',
    scale: { domain: [0, last], nice: false },
    axis: { title: 'epoch', grid: false, tickMinStep: 1, format: 'd' },
  };
  const y = {
    field: 'value',
    type: 'quantitative',
    scale: { zero: false },
    axis: { title, grid: true, domain: false },
  };
  const dash = {
    field: 'part',
    scale: {
      domain: [VALIDATION, TRAINING],
      range: [
        [1, 0],
        [3, 3],
      ],
    },
    legend: null,
  };
  const colours = colourBy('arm', legend);
  return {
    title: title.replace(', %', ''),
    caption: 'By epoch: whole lines on the validation part, dotted lines on the training batches.',
    legend,
    svg: await draw(
      {
        data: { values: points },
        layer: [
          {
            mark: { type: 'line', strokeWidth: 1.5, aria: false },
            encoding: { x, y, color: colours, strokeDash: dash, detail: { field: 'run' } },
          },
          {
            mark: { type: 'point', filled: true, size: 30, opacity: 1 },
            encoding: { x, y, color: colours, description: tip },
          },
        ],
      },
      { height: 200 },
    ),
    head: ['run', 'epoch', title],
    rows: points.map(({ run, epoch, value }) => [run, epoch, text(value)]),
  };
}
