import { useMemo } from 'preact/hooks';
import { plural } from '../../../base/plural.js';
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
  /** Losses in the epoch that has begun; `at` is the number of finished epochs with the fraction of this one. */
  readonly begun?: readonly { readonly at: number; readonly loss: number }[];
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
      label,
      colour,
      width: 2.5,
      points: epochs <= MAX_MARKED_EPOCHS,
      ...(dash === undefined ? {} : { dash }),
    }),
  );
  const loss = useMemo(() => lossData(series), [series]);
  const score = useMemo(() => scoreData(series), [series]);
  const done = lastEpoch(series);
  const isLearning = series.some(({ begun = [] }) => begun.length > 0);
  if (done === 0 && !isLearning) return <p class="quiet">The first epoch is on its way.</p>;
  const hasAccuracy = series.some((one) => one.epochs.some(({ accuracy }) => accuracy !== null));
  const chart = (title: string, data: Data) => (
    <figure>
      <figcaption>
        <h3>{title}</h3>
      </figcaption>
      <LineChart
        label={`${title}, after ${done} of ${plural(epochs, 'epoch')}. The table below has the values.`}
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
      {done > 0 && (
        <details>
          <summary>Values as a table</summary>
          <CurveTable series={series} rows={done} scoredOn={scoredOn} />
        </details>
      )}
    </>
  );
}

/** Returns the epochs of a training by their numbers, of which one may be missing after a stop. */
const byNumber = ({ epochs }: LearningSeries) => new Map(epochs.map((one) => [one.epoch, one]));

/** Returns the number of the last epoch of any training; 0 for none. */
const lastEpoch = (series: readonly LearningSeries[]) =>
  Math.max(0, ...series.map(({ epochs }) => epochs.at(-1)?.epoch ?? 0));

/** Returns the places of all losses, and the losses of each training: one an epoch, and some of the epoch that has begun. */
function lossData(series: readonly LearningSeries[]): Data {
  const known = series.map(
    ({ epochs, begun = [] }) =>
      new Map([
        ...epochs.map(({ epoch, loss }) => [epoch, loss] as const),
        ...begun.map(({ at, loss }) => [at, loss] as const),
      ]),
  );
  const places = [...new Set([0, ...known.flatMap((losses) => [...losses.keys()])])].sort((a, b) => a - b);
  return [places, ...known.map((losses) => places.map((place) => losses.get(place) ?? null))];
}

function percentOf(score: EpochScore | null): number | null {
  return score === null || score.accuracy === null ? null : 100 * score.accuracy;
}

/** Returns the numbers of the epochs, from 0, and the score of each training after each epoch. */
function scoreData(series: readonly LearningSeries[]): Data {
  const places = Array.from({ length: lastEpoch(series) + 1 }, (_, index) => index);
  return [
    places,
    ...series.map((one) => {
      const epochs = byNumber(one);
      return places.map((place) => percentOf(place === 0 ? one.before : (epochs.get(place)?.score ?? null)));
    }),
  ];
}

function CurveTable(props: {
  readonly series: readonly LearningSeries[];
  readonly rows: number;
  readonly scoredOn: string;
}) {
  const { series, rows, scoredOn } = props;
  const numbers = Array.from({ length: rows }, (_, index) => index + 1);
  const columns = series.map((one) => ({ label: one.label, epochs: byNumber(one) }));
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
              {columns.flatMap(({ label, epochs }) => {
                const epoch = epochs.get(number);
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
