import { plural } from '../../../base/plural.js';
import type { Ranking } from '../../../calibrate/select/ranking.js';
import { concludeRanking, RANKING_HEAD, rankingRows } from '../../../render/ranking-figures.js';
import { isSame } from '../page/is-same.js';
import { ProblemNote } from '../page/parts.js';
import { ReportButtons } from '../page/report-buttons.js';
import { TextTable } from '../page/text-table.js';
import type { RepairChoice } from '../repair-protocol.js';
import { repairChoice } from './repair-choice.js';
import type { RepairParts } from './repair-parts.js';

/** Shows the sites from harmless to harmful, while they are measured and afterwards. */
export function RankingResults({
  actions,
  repair,
  page,
  ranking,
  choice,
}: RepairParts & { readonly ranking: Ranking; readonly choice: RepairChoice }) {
  const measured = ranking.sites.filter((site) => site.measured !== null).length;
  const whole = measured === ranking.sites.length;
  const old = !isSame(repairChoice(repair, page), choice);
  return (
    <section class="card" aria-labelledby="ranking-title">
      <h2 id="ranking-title">
        Ranked
        {measured < ranking.sites.length && (
          <small>{`${measured} of ${plural(ranking.sites.length, 'site')} measured`}</small>
        )}
      </h2>
      {old && <p class="quiet">This ranking belongs to an earlier choice.</p>}
      {whole && <p class="done">{concludeRanking(ranking)}</p>}
      <div class="bar">
        <ReportButtons
          name={`${ranking.model.name.replace(/\.onnx$/i, '')}.ranking`}
          report={ranking}
          html={() => actions.html('rank')}
        />
      </div>
      <ProblemNote problem={repair.problems.export} />
      <TextTable
        label="Ranking"
        caption="Each site was swapped alone. SQNR: signal to noise of the output that moved most, in dB; the larger, the less harm."
        head={RANKING_HEAD}
        rows={rankingRows(ranking)}
      />
    </section>
  );
}
