import { plural } from '../../base/plural.js';
import type { ExperimentReport, ExperimentRun } from '../../experiment/report-schema.js';
import { MAX_UNIT_SAMPLES } from '../../finetune/limits.js';
import { activationLabel } from '../../mish/activations.js';
import {
  describeExchange,
  describeExperimentData,
  describeRuns,
  RESULT_HEAD,
  RUN_HEAD,
  resultRows,
  runRows,
} from '../experiment.js';
import { figure } from '../figures.js';
import { type CurvePoint, type ScoreFigure, scoreCharts } from './curves.js';
import { derivativeCharts } from './derivative.js';
import { htmlDocument } from './document.js';
import { Landscapes } from './landscape.js';
import { Charts, FactList, Name, Table } from './parts.js';
import { SURFACE_SCRIPT } from './surface-script.js';

/** Returns an HTML page with the report of an experiment. The text in `report` must be printable. */
export async function experimentPage(report: ExperimentReport): Promise<string> {
  const curves = await scoreCharts((value) => pointsOf(report, value), curvesOf(report));
  const derivatives = await derivativeCharts(
    report.runs.flatMap(({ activation, derivative }) =>
      derivative === undefined ? [] : { name: activationLabel(activation), derivative },
    ),
  );
  const landscapes = report.runs.flatMap(({ activation, landscape }) =>
    landscape === undefined ? [] : { name: activationLabel(activation), landscape },
  );
  return htmlDocument(
    `Experiment with ${report.model}`,
    <>
      <Head report={report} />
      <Results report={report} />
      <Charts title="Curves" charts={curves} />
      <Landscapes landscapes={landscapes} />
      <Charts title="Derivatives over the inputs of the activations" charts={derivatives} />
      <Initial report={report} />
    </>,
    landscapes.length === 0 ? '' : SURFACE_SCRIPT,
  );
}

interface Props {
  readonly report: ExperimentReport;
}

function Head({ report }: Props) {
  const { missing } = report;
  return (
    <>
      <p class="eyebrow">onnx-mish experiment</p>
      <h1>
        <Name text={report.model} longest={120} /> with each activation
      </h1>
      <div class="wide">
        {report.warnings.map((warning) => (
          <p>
            <strong>Warning: {warning}</strong>
          </p>
        ))}
        <p>{report.conclusion}</p>
        {missing.length > 0 && (
          <p>
            Missing runs:{' '}
            {missing.map(({ activation, seed }) => `${activationLabel(activation)}, seed ${seed}`).join('; ')}
            .
          </p>
        )}
        <FactList
          facts={{
            exchanged: <span>{describeExchange(report)}</span>,
            samples: <span>{describeExperimentData(report)}</span>,
            training: <span>{describeRuns(report)}</span>,
          }}
        />
        {report.notes.map((note) => (
          <p class="soft">Note: {note}.</p>
        ))}
      </div>
    </>
  );
}

function Results({ report }: Props) {
  const diverged = report.runs.filter((run) => run.diverged !== null);
  return (
    <>
      <h2>Results</h2>
      <div class="wide">
        <Table head={RESULT_HEAD} rows={resultRows(report)} />
        <p class="soft">
          Mean ± standard deviation over the seeds, on the test part, which took part in no choice. The
          difference is the mean of the paired differences from the baseline, with Student’s 95 % interval.
          Never positive: channels or features whose input to the activation was never positive on at most{' '}
          {MAX_UNIT_SAMPLES} test samples.
        </p>
        <Table head={RUN_HEAD} rows={runRows(report)} />
        {diverged.map(({ activation, seed, diverged: why }) => (
          <p class="soft">
            {activationLabel(activation)}, seed {seed}, diverged: {why}.
          </p>
        ))}
      </div>
    </>
  );
}

function Initial({ report }: Props) {
  const { rule, gains, weights, kept } = report.initial;
  return (
    <>
      <h2>Initial weights and sites</h2>
      <div class="wide">
        <p>{rule}</p>
        <Table
          head={['activation', 'gain']}
          rows={gains.map(({ activation, gain }) => [activationLabel(activation), figure(gain, 4)])}
        />
        <p class="soft">
          {plural(weights, 'weight')} {weights === 1 ? 'was' : 'were'} initialised anew.
          {kept.length > 0 && ` Trained from the model’s values: ${kept.join(', ')}.`} Exchanged:{' '}
          {report.sites.join(', ')}.
        </p>
        {report.kept.map(({ label, why }) => (
          <p class="soft">
            Kept: <Name text={label} />, because {why}.
          </p>
        ))}
        {report.remarks.map((remark) => (
          <p class="soft">{remark}.</p>
        ))}
      </div>
    </>
  );
}

/** Returns the points of all runs; `value` takes the figure of an epoch's part. */
function pointsOf({ runs }: ExperimentReport, value: ScoreFigure): CurvePoint[] {
  return runs.flatMap(({ activation, seed, epochs }) => {
    const series = activationLabel(activation);
    const point = (part: 'training' | 'test', epoch: number, score: ExperimentRun['test']) => {
      const figure = score === null ? null : value(score);
      return figure === null ? [] : [{ series, run: `${series}, seed ${seed}`, part, epoch, value: figure }];
    };
    return [
      ...epochs.flatMap((one) => point('training', one.epoch, one)),
      ...epochs.flatMap((one) => point('test', one.epoch, one.test)),
    ];
  });
}

const curvesOf = ({ settings, data }: ExperimentReport) => ({
  series: settings.activations.map(activationLabel),
  caption: `By epoch: whole lines on ${plural(data.curve, 'test sample')}, dotted lines on the training batches.`,
});
