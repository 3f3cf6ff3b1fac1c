import { integer } from '../../base/plural.js';
import type { ProviderRow, Report } from '../../validate/report-schema.js';
import { type Change, compareReports } from '../compare.js';
import { htmlDocument } from './document.js';
import { latencyChart, ratioChart } from './latency-charts.js';
import { ChartCard, Name, Pill, Table } from './parts.js';

/** Returns an HTML page that compares two reports, whose text must be printable. */
export async function comparisonPage(a: Report, b: Report): Promise<string> {
  const { warnings, general, providers } = compareReports(a, b);
  const rows = providers.flatMap(({ provider }) => [
    ...named(a, provider, 'before'),
    ...named(b, provider, 'after'),
  ]);
  const charts = (await Promise.all([latencyChart(rows), ratioChart(rows)])).filter(
    (chart) => chart !== undefined,
  );
  return htmlDocument(
    `${a.models.swapped.name} before and after`,
    <>
      <p class="eyebrow">
        {a.created} and {b.created}
      </p>
      <h1>
        Two reports on <Name text={b.models.swapped.name} />
      </h1>
      {warnings.map((warning) => (
        <p key={warning}>
          <Pill word="differs" /> <Name text={warning} longest={600} />
        </p>
      ))}
      <h2>Report</h2>
      <Changes changes={general} />
      {charts.length > 0 && <h2>Latency</h2>}
      <div class="grid">
        {charts.map((chart) => (
          <ChartCard key={chart.title} chart={chart} />
        ))}
      </div>
      {providers.map(({ provider, changes }) => (
        <section key={provider}>
          <h2>
            <Name text={provider} />
          </h2>
          <Changes changes={changes} />
        </section>
      ))}
    </>,
  );
}

function named(report: Report, provider: string, when: string): ProviderRow[] {
  return report.providers
    .filter((row) => row.provider === provider)
    .map((row) => ({ ...row, provider: `${provider}, ${when}` }));
}

/** Lists the figures that differ, and folds away those that do not. */
function Changes({ changes }: { changes: readonly Change[] }) {
  const cells = (same: boolean) =>
    changes
      .filter((change) => change.same === same)
      .map(({ what, a, b, change }) => (same ? [what, a] : [what, a, b, change]));
  const [apart, alike] = [cells(false), cells(true)];
  return (
    <div class="wide">
      {apart.length === 0 ? (
        <p>Nothing differs.</p>
      ) : (
        <Table head={['figure', 'before', 'after', 'change']} rows={apart} />
      )}
      {alike.length > 0 && (
        <details>
          <summary>Unchanged: {integer(alike.length)}</summary>
          <Table head={['figure', 'both']} rows={alike} />
        </details>
      )}
    </div>
  );
}
