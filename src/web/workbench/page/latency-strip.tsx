import { quantilesOf } from '../../../metrics/statistics.js';
import { figure } from '../../../render/figures.js';

/** The times of one model's runs; the colour is a variable of the style sheet. */
export interface TimedModel {
  readonly label: string;
  readonly colour: string;
  /** Milliseconds of each run. */
  readonly times: readonly number[];
}

/** Height of a model's row, and of the axis below the rows, in pixels. */
const ROW_HEIGHT = 40;
const AXIS_HEIGHT = 24;
/** Maximum number of ticks of a row; more runs are drawn as this many quantiles. */
const MAX_TICKS = 200;
/** Share of the width on each side of the axis, so that its marks have room. */
const MARGIN = 0.06;
/** The smallest ratio of the ends of the axis, so that noise does not look like a difference. */
const MIN_SPAN = 1.5;

/** Draws the runs of both models on one logarithmic axis: a tick for each run, a bar for the middle half, a dot for the median. */
export function LatencyStrip({
  label,
  models,
}: {
  readonly label: string;
  readonly models: readonly TimedModel[];
}) {
  const place = timeAxis(models.flatMap(({ times }) => times));
  const height = ROW_HEIGHT * models.length;
  return (
    <svg
      class="strip"
      width="100%"
      height={height + AXIS_HEIGHT}
      role="img"
      aria-label={`${label} ${models.map(rowText).join('; ')}.`}
    >
      {marksBetween(place.low, place.high).map((mark) => (
        <g key={mark}>
          <line class="grid" x1={place.at(mark)} x2={place.at(mark)} y1="0" y2={height} />
          <text x={place.at(mark)} y={height + 16} text-anchor="middle">
            {`${figure(mark)} ms`}
          </text>
        </g>
      ))}
      {models.map((model, row) => (
        <Row key={model.label} model={model} middle={ROW_HEIGHT * (row + 0.5)} at={place.at} />
      ))}
    </svg>
  );
}

function Row(props: {
  readonly model: TimedModel;
  readonly middle: number;
  readonly at: (ms: number) => string;
}) {
  const { model, middle, at } = props;
  const { times, colour } = model;
  const of = quantilesOf(times);
  const ticks =
    times.length <= MAX_TICKS
      ? times
      : Array.from({ length: MAX_TICKS }, (_, index) => of(index / (MAX_TICKS - 1)));
  return (
    <g style={{ stroke: `var(${colour})` }}>
      {ticks.map((ms, index) => (
        <line key={`${index} ${ms}`} class="run" x1={at(ms)} x2={at(ms)} y1={middle - 11} y2={middle + 11} />
      ))}
      <line class="half" x1={at(of(0.25))} x2={at(of(0.75))} y1={middle} y2={middle} />
      <circle cx={at(of(0.5))} cy={middle} r="5.5" style={{ fill: `var(${colour})` }} />
    </g>
  );
}

/** Describes a row: `original: median 1.2 ms, middle half 1.1 to 1.3 ms`. */
export function rowText({ label, times }: TimedModel): string {
  const of = quantilesOf(times);
  return `${label}: median ${figure(of(0.5))} ms, middle half ${figure(of(0.25))} to ${figure(of(0.75))} ms`;
}

/** Returns the ends of a logarithmic axis for these times, and a function from a time to its place. */
export function timeAxis(times: readonly number[]) {
  const positive = times.filter((ms) => ms > 0);
  const of = quantilesOf(positive.length === 0 ? [1] : positive);
  const widen = Math.sqrt(Math.max(1, MIN_SPAN / (of(1) / of(0))));
  const [low, high] = [of(0) / widen, of(1) * widen];
  const share = (ms: number) => Math.log(Math.max(ms, low) / low) / Math.log(high / low);
  return { low, high, at: (ms: number) => `${(100 * (MARGIN + (1 - 2 * MARGIN) * share(ms))).toFixed(2)}%` };
}

/** Maximum number of marks of an axis. */
const MAX_MARKS = 5;
/** Least distance of two marks, as a share of the axis, so that their labels do not touch. */
const MIN_GAP = 0.17;

/** Returns round numbers on a logarithmic axis: multiples of 1, 2 and 5 of the powers of ten, or closer ones. */
export function marksBetween(low: number, high: number): number[] {
  const steps = [
    [1],
    [1, 3],
    [1, 2, 5],
    [1, 1.5, 2, 3, 5, 7],
    Array.from({ length: 90 }, (_, at) => 1 + at / 10),
  ];
  const marks = steps.map((step) => marksOf(step, low, high));
  const isFar = (from: number, to: number) => Math.log(to / from) >= MIN_GAP * Math.log(high / low);
  const isApart = (found: readonly number[]) =>
    found.every((mark, at) => at === 0 || isFar(found[at - 1] ?? 0, mark));
  const fit = marks.filter((found) => found.length <= MAX_MARKS && isApart(found)).at(-1) ?? [];
  if (fit.length >= 2) return fit;
  const spread: number[] = [];
  for (const mark of marks.at(-1) ?? []) if (isFar(spread.at(-1) ?? 0, mark)) spread.push(mark);
  return spread.length < 2 ? [low, high] : spread;
}

function marksOf(step: readonly number[], low: number, high: number): number[] {
  const marks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    const found = step.map((factor) => Number((factor * 10 ** power).toPrecision(6)));
    marks.push(...found.filter((mark) => mark >= low && mark <= high));
  }
  return marks;
}
