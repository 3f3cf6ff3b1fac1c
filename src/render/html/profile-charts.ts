import { integer } from '../../base/plural.js';
import type { ModelProfile, Profile } from '../../validate/report-schema.js';
import { figure, short, tellApart } from '../figures.js';
import { draw, MODEL_LEGEND, MODELS, modelColour, modelOffset, numberedAxis, tip } from './draw.js';
import type { TabledChart } from './parts.js';

/** Maximum bars in a chart. */
const MAX_BARS = 12;

interface Bar {
  readonly name: string;
  readonly original: number | null;
  readonly swapped: number | null;
}

/** Draws the time of one run by operator, by site and by form. */
export async function profileCharts(provider: string, profile: Profile): Promise<TabledChart[]> {
  const operators = merged(profile, ({ operators }) => operators.map(({ op, us }) => ({ name: op, us })));
  const sites = merged(profile, ({ sites }) => sites.map(({ node, us }) => ({ name: node, us })));
  const forms = profile.forms.map(({ form, us }) => ({ name: form, original: null, swapped: us }));
  const calls = MODELS.flatMap((model) =>
    profile[model].operators.map(({ op, provider, calls, us }) => [model, op, provider, calls, us]),
  );
  const sums = ['model', 'name', 'µs per run'];
  const bySite = MODELS.flatMap((model) => profile[model].sites.map(({ node, us }) => [model, node, us]));
  return [
    {
      title: `Time by operator, ${provider}`,
      ...(await barChart(operators)),
      head: ['model', 'operator', 'ran on', 'calls', 'µs per run'],
      rows: calls,
    },
    ...(sites.length === 0
      ? []
      : [{ title: `Time by site, ${provider}`, ...(await barChart(sites)), head: sums, rows: bySite }]),
    ...(forms.length === 0
      ? []
      : [
          {
            title: `The model in each form, ${provider}`,
            ...(await barChart(forms)),
            head: ['form', 'µs per run', 'note'],
            rows: profile.forms.map(({ form, us }) => [form, us, us === null ? 'does not run' : '']),
          },
        ]),
  ];
}

/** Merges both models' times by name, slowest first; times of equal names are added. */
function merged(profile: Profile, list: (one: ModelProfile) => { name: string; us: number }[]): Bar[] {
  const sums = new Map<string, { name: string; original: number; swapped: number }>();
  for (const model of MODELS) {
    for (const { name, us } of list(profile[model])) {
      const sum = sums.get(name) ?? { name, original: 0, swapped: 0 };
      sum[model] += us;
      sums.set(name, sum);
    }
  }
  return [...sums.values()].toSorted(
    (a, b) => Math.max(b.original, b.swapped) - Math.max(a.original, a.swapped),
  );
}

async function barChart(bars: readonly Bar[]): Promise<Pick<TabledChart, 'caption' | 'legend' | 'svg'>> {
  const shown = bars.slice(0, MAX_BARS);
  const labels = tellApart(
    shown.map(({ name }) => name),
    22,
  );
  const values = shown.flatMap(({ name, ...us }, index) =>
    MODELS.flatMap((model) => {
      const time = us[model];
      if (time === null || !Number.isFinite(time)) return [];
      return [
        {
          row: `${index}\n${labels[index]}`,
          model,
          us: time,
          tip: `${short(name)}, ${model}: ${figure(time)} µs`,
        },
      ];
    }),
  );
  const isSwappedOnly = shown.every(({ original }) => original === null);
  const svg = await draw(
    {
      data: { values },
      mark: { type: 'bar', cornerRadiusEnd: 2 },
      encoding: {
        x: {
          field: 'us',
          stack: null,
          type: 'quantitative',
          axis: { title: 'microseconds per run', tickCount: 5, format: '~s' },
        },
        y: {
          field: 'row',
          type: 'nominal',
          sort: null,
          scale: { paddingInner: 0.3 },
          axis: numberedAxis,
        },
        ...(isSwappedOnly ? {} : { yOffset: modelOffset }),
        color: modelColour,
        description: tip,
      },
    },
    { height: shown.length * (isSwappedOnly ? 22 : 30), labels },
  );
  return {
    caption:
      bars.length > shown.length
        ? `The first ${integer(shown.length)} of ${integer(bars.length)}.`
        : 'Time of one run of the model.',
    legend: isSwappedOnly ? [] : MODEL_LEGEND,
    svg: values.length === 0 ? null : svg,
  };
}
