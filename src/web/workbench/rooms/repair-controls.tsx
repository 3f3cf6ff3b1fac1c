import { hasSharpness } from '../../../metrics/curved-share.js';
import { ACTIVATIONS } from '../../../mish/activations.js';
import { isSame } from '../page/is-same.js';
import { Choice } from '../page/parts.js';
import type { State } from '../page/state.js';
import { WorkBar, WorkButton } from '../page/work-bar.js';
import { WorkStatus } from '../page/work-status.js';
import { repairChoice } from './repair-choice.js';
import type { RepairParts } from './repair-parts.js';
import type { RepairState } from './repair-state.js';

/** Shows the settings of the repair, the buttons of both works, and their progress. */
export function RepairControls({ repair, dispatch, actions, page }: RepairParts) {
  const { settings, run } = repair;
  const running = run?.ended === 'no';
  const why = whyNot(repair, page);
  const off = why !== undefined || running;
  const isSharp = hasSharpness(page.to);
  const folded = isSharp ? ' A β from the inputs is folded into weights, and costs no node.' : '';
  const describedBy = why === undefined ? undefined : 'repair-why';
  return (
    <section class="card" aria-labelledby="repair-settings-title">
      <h2 id="repair-settings-title">Repair or rank</h2>
      {isSharp && (
        <Choice
          name="repair-sharpness"
          label="Sharpness β"
          value={settings.sharpen ? 'inputs' : 'given'}
          options={[
            ['inputs', 'of each site, from its inputs'],
            ['given', `${page.to === undefined ? page.beta : 1} at all sites`],
          ]}
          onChoice={(value) => dispatch({ kind: 'settings', change: { sharpen: value === 'inputs' } })}
        />
      )}
      <Choice
        name="repair-steps"
        label="After least squares"
        value={settings.steps ? 'steps' : 'none'}
        options={[
          ['steps', 'gradient steps while they help'],
          ['none', 'nothing more'],
        ]}
        onChoice={(value) => dispatch({ kind: 'settings', change: { steps: value === 'steps' } })}
      />
      <p class="quiet">
        {page.to === undefined
          ? `Form ${page.form}.${folded} The ranking swaps one site at a time, with β = ${page.beta}.`
          : `Writes ${ACTIVATIONS[page.to].label}.${folded} The ranking swaps one site at a time.`}
      </p>
      <WorkBar
        running={running}
        onStop={() => actions.stop()}
        resume={
          run?.work === 'rank' && run.ended === 'stopped'
            ? { off: !canResume(repair, page), onPress: () => actions.rank(true) }
            : undefined
        }
      >
        <WorkButton main off={off} why={describedBy} onPress={() => actions.calibrate()}>
          Repair
        </WorkButton>
        <WorkButton off={off} why={describedBy} onPress={() => actions.rank()}>
          Rank the sites
        </WorkButton>
      </WorkBar>
      {why !== undefined && (
        <p class="quiet" id="repair-why">
          {why}
        </p>
      )}
      {run !== null && (
        <WorkStatus {...run} label={run.work === 'calibrate' ? 'Repair' : 'Ranking'} stopped="Stopped." />
      )}
    </section>
  );
}

/** Returns what the user has to do before a work can start. */
function whyNot(repair: RepairState, page: State): string | undefined {
  const { model, chosen, feed } = page;
  if (model === null) return 'Give a model.';
  if (model.missing.length > 0) return `Give ${model.missing.join(', ')} as well.`;
  if (model.inspection.sites.length === 0) return 'The model has no ReLU or LeakyReLU that could be swapped.';
  if (chosen.size === 0) return 'Choose a site in the room Swap and run.';
  if (feed.kind === 'noise') return 'Choose samples like those that the model will see.';
  return repairChoice(repair, page) === undefined ? 'Fill in the samples.' : undefined;
}

/** Returns whether a stopped ranking is of the current choice. */
function canResume({ ranked, settings, run }: RepairState, page: State): boolean {
  if (ranked === null || run === null) return false;
  return isSame(repairChoice({ settings }, page), ranked.choice);
}
