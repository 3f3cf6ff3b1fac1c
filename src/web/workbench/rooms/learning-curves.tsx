import { useMemo } from 'preact/hooks';
import { figure } from '../../../render/figures.js';
import { accuracyText } from '../../../render/finetune-figures.js';
import type { EpochScore } from '../../../train/epoch.js';
import { type Data, Legend, type Line, LineChart } from '../page/chart.js';
import { TableBox } from '../page/parts.js';

/** An epoch of a training, and the score of the model after the epoch. */
export interface LearningEpoch extends EpochScore {
  readonly epoch: number;
  readonly score: EpochScore | null;
}

/** The epochs of one training, which is a line in each chart. */
export interface LearningSeries extends Pick<Line, 'label' | 'colour' | 'dash'> {
  /** Score before the first epoch. */
  readonly before: EpochScore | null;
  readonly epochs: readonly LearningEpoch[];
}

/** Largest number of epochs whose values are marked: more marks hide the lines. */
const MAX_MARKED_EPOCHS = 40;

/** Shows loss and accuracy of several trainings, epoch by epoch. `scoredOn` names the samples of the scores. */
export function LearningCurves(props: {
  readonly series: readonly LearningSeries[];
  readonly epochs: number;
  readonly scoredOn: string;
}) {
  const { series, epochs, scoredOn } = props;
  const lines = series.map(
    ({ label, colour, dash }): Line => ({
      ...{ label, colour, width: 2.5, points: epochs <= MAX_MARKED_EPOCHS },
      ...(dash === undefined ? {} : { dash }),
    }),
  );
  const loss = useMemo(
    () =>
      dataOf(
        series,
        ({ loss }) => loss,
        () => null,
      ),
    [series],
  );
  const score = useMemo(() => dataOf(series, ({ score }) => percentOf(score), percentOf), [series]);
  const done = Math.max(0, ...series.map((one) => one.epochs.length));
  if (done === 0) return <p class="quiet">The first epoch is on its way.</p>;
  const hasAccuracy = series.some((one) => one.epochs.some(({ accuracy }) => accuracy !== null));
  const chart = (title: string, data: Data) => (
    <figure>
      <figcaption>
        <h3>{title}</h3>
      </figcaption>
      <LineChart
        label={`${title}, after ${done} of ${epochs} epochs. The table below has the values.`}
        lines={lines}
        data={data}
        height={220}
        xRange={[0, epochs]}
      />
    </figure>
  );
  return (
    <>
      <div class="latencies">
        {chart('Loss of the training batches', loss)}
        {hasAccuracy && chart(`Accuracy on the ${scoredOn}, %`, score)}
      </div>
      <Legend lines={lines} />
      <details>
        <summary>Values as a table</summary>
        <CurveTable series={series} rows={done} scoredOn={scoredOn} />
      </details>
    </>
  );
}

function percentOf(score: EpochScore | null): number | null {
  return score === null || score.accuracy === null ? null : 100 * score.accuracy;
}

/** Returns the numbers of the epochs, from 0, and the values of each training. */
function dataOf(
  series: readonly LearningSeries[],
  value: (epoch: LearningEpoch) => number | null,
  before: (score: EpochScore | null) => number | null,
): Data {
  const last = Math.max(0, ...series.map(({ epochs }) => epochs.length));
  const places = Array.from({ length: last + 1 }, (_, index) => index);
  return [
    places,
    ...series.map((one) =>
      places.map((place) => {
        const epoch = one.epochs[place - 1];
        return place === 0 ? before(one.before) : epoch === undefined ? null : value(epoch);
      }),
    ),
  ];
}

function CurveTable(props: {
  readonly series: readonly LearningSeries[];
  readonly rows: number;
  readonly scoredOn: string;
}) {
  const { series, rows, scoredOn } = props;
  const numbers = Array.from({ length: rows }, (_, index) => index + 1);
  return (
    <TableBox label="Values of the curves">
      <table>
        <caption class="unseen">{`Loss of the training batches, and score on the ${scoredOn}, by epoch`}</caption>
        <thead>
          <tr>
            <th scope="col">Epoch</th>
            {series.flatMap(({ label }) =>
              ['loss', 'score'].map((what) => (
                <th key={`${label} ${what}`} scope="col">{`${label}, ${what}`}</th>
              )),
            )}
          </tr>
        </thead>
        <tbody>
          {numbers.map((number) => (
            <tr key={number}>
              <th scope="row" class="number">
                {number}
              </th>
              {series.flatMap(({ label, epochs }) => {
                const epoch = epochs[number - 1];
                return [figure(epoch?.loss, 4), scoreText(epoch?.score)].map((cell, at) => (
                  <td key={`${label} ${at}`} class="number">
                    {cell}
                  </td>
                ));
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  );
}

function scoreText(score: EpochScore | null | undefined): string {
  if (score === null || score === undefined) return '–';
  return score.accuracy === null ? figure(score.loss, 4) : accuracyText(score.accuracy);
}
