import { integer, plural } from '../../base/plural.js';
import { limitText } from '../../calibrate/select/budget.js';
import type { BudgetResult, JudgedSet } from '../../calibrate/select/swap-within-budget.js';
import type { SwapReport } from '../../mish/results.js';
import { DEGRADATION_HEAD, degradationCells, describeDrawn, writtenActivation } from '../ranking-figures.js';
import { htmlDocument } from './document.js';
import { FactList, Name, Pill, Table } from './parts.js';
import { Skipped } from './ranking.js';

/** Report of a swap within a budget. */
export interface BudgetReport extends Pick<SwapReport, 'to' | 'sites' | 'skipped' | 'form' | 'beta'> {
  readonly keep: Pick<
    BudgetResult,
    'budget' | 'of' | 'takenBack' | 'searched' | 'heldOut' | 'everything' | 'evaluations' | 'notes' | 'data'
  >;
}

/** Returns an HTML page with a swap within a budget. The text in both arguments must be printable. */
export async function budgetPage({ to, sites, skipped, form, beta, keep }: BudgetReport, model: string) {
  const { budget, of, takenBack, searched, heldOut, everything, evaluations, notes, data } = keep;
  const limits = budget.map(limitText).join(' and ');
  return htmlDocument(
    `${model} within a budget`,
    <>
      <p class="eyebrow">onnx-mish swap</p>
      <h1>
        <Name text={model} longest={120} />, swapped within a budget
      </h1>
      <p class="conclusion">{`${integer(sites.length)} of ${plural(of, 'site')} ${sites.length === 1 ? 'was' : 'were'} swapped within ${limits}, on ${describeDrawn(data)}.`}</p>
      <div class="wide">
        <FactList
          facts={{
            written: <span>{writtenActivation({ to, form, beta })}</span>,
            'models run': evaluations,
            'taken back':
              takenBack === 0 ? null : `${takenBack}, which exceeded the budget on held-out samples`,
          }}
        />
        {notes.map((note) => (
          <p class="soft">Note: {note}.</p>
        ))}
      </div>
      <h2>Degradation</h2>
      <div class="wide">
        <Table
          head={['sites', 'samples', 'limits', ...DEGRADATION_HEAD]}
          rows={[
            ...setRow('all', 'searched', everything),
            ...setRow('swapped', 'searched', searched),
            ...setRow('swapped', 'held out', heldOut),
          ]}
        />
        <p class="soft">
          Sites were chosen on the samples of the search; the held-out samples took part only where sites were
          taken back.
        </p>
      </div>
      <h2>Swapped sites</h2>
      <div class="wide">
        {sites.length === 0 ? (
          <p>No site was swapped.</p>
        ) : (
          <Table
            head={['site', 'kind']}
            rows={sites.map(({ label, kind }) => [<Name text={label} />, kind])}
          />
        )}
      </div>
      <Skipped sites={skipped} />
    </>,
  );
}

function setRow(which: string, on: string, set: JudgedSet | null) {
  if (set === null) return [];
  const kept = set.verdicts.every((verdict) => verdict.kept);
  return [
    [
      ...[`${integer(set.sites)} (${which})`, `${integer(set.samples)} (${on})`],
      <Pill word={kept ? 'kept' : 'not kept'} />,
      ...degradationCells(set.harm),
    ],
  ];
}
