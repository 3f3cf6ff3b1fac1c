import { useMemo, useReducer, useRef } from 'preact/hooks';
import { activationLabel } from '../../../mish/activations.js';
import { figure } from '../../../render/figures.js';
import { accuracyText } from '../../../render/finetune-figures.js';
import { download } from '../page/files.js';
import { ProblemNote } from '../page/parts.js';
import type { RoomProps } from '../page/room-props.js';
import { TextTable } from '../page/text-table.js';
import { compareActions } from './compare-actions.js';
import { CompareControls } from './compare-controls.js';
import {
  ACTIVATIONS_COMPARED,
  type ActivationComparison,
  COMPARE_START,
  type CompareAction,
  type CompareState,
  reduceCompare,
} from './compare-state.js';
import { LandscapeView } from './landscape-view.js';
import { LearningCurves, type LearningSeries } from './learning-curves.js';

/** Shows how one net learns with each activation, and its loss landscapes. */
export function CompareRoom({ active }: RoomProps) {
  const now = useRef<CompareState>(COMPARE_START);
  const [compare, show] = useReducer((_: CompareState, next: CompareState) => next, COMPARE_START);
  const dispatch = useMemo(
    () => (action: CompareAction) => {
      now.current = reduceCompare(now.current, action);
      show(now.current);
    },
    [],
  );
  const actions = useMemo(() => compareActions(() => now.current, dispatch), []);
  const { comparison } = compare;
  return (
    <main class="room" hidden={!active}>
      <div class="intro wide">
        <h1>Compare activations</h1>
        <p class="lead">
          One small net starts from the same random numbers with each activation, and sees the same batches of
          800 images of clothes. This shows how it learns; which activation is better takes more seeds, more
          images and <code>onnx-mish experiment</code>.
        </p>
      </div>
      <CompareControls compare={compare} dispatch={dispatch} actions={actions} />
      <ProblemNote problem={compare.problem ?? undefined} />
      {comparison !== null && <Results comparison={comparison} />}
      <p class="unseen" role="status">
        {active ? compare.announcement : ''}
      </p>
    </main>
  );
}

/** Colour of each activation, as in the chart of the activations. */
export const ACTIVATION_LINES = {
  relu: { colour: '--line-1' },
  leakyrelu: { colour: '--line-2', dash: [7, 4] },
  swish: { colour: '--line-3', dash: [2, 3] },
  mish: { colour: '--accent' },
} as const;

/** Returns the name of an activation in a comparison, with the sharpness of Mish. */
function labelOf(activation: string, beta: number): string {
  return activation === 'mish' && beta !== 1
    ? `${activationLabel(activation)}, β = ${beta}`
    : activationLabel(activation);
}

function Results({ comparison }: { readonly comparison: ActivationComparison }) {
  const { choice, ended, epochs, landscapes, report } = comparison;
  const series = useMemo(
    () =>
      ACTIVATIONS_COMPARED.map(
        (activation): LearningSeries => ({
          label: labelOf(activation, choice.beta),
          ...ACTIVATION_LINES[activation],
          before: null,
          epochs: (epochs[activation] ?? []).map((one) => ({ ...one, score: one.test })),
        }),
      ),
    [epochs, choice],
  );
  const measured = ACTIVATIONS_COMPARED.flatMap((activation) => {
    const landscape = landscapes[activation];
    return landscape === undefined ? [] : [{ label: labelOf(activation, choice.beta), landscape }];
  });
  return (
    <>
      {(ended === 'no' || series.some((one) => one.epochs.length > 0)) && (
        <section class="card" aria-labelledby="compare-curves-title">
          <h2 id="compare-curves-title">
            All learn<small>{`seed ${choice.seed}`}</small>
          </h2>
          <LearningCurves series={series} epochs={choice.epochs} scoredOn="200 test images" />
        </section>
      )}
      {measured.length > 0 && <LandscapeView landscapes={measured} />}
      {report !== null && (
        <section class="card" aria-labelledby="compare-result-title">
          <h2 id="compare-result-title">Result</h2>
          <p class="done">{report.conclusion}</p>
          <TextTable
            label="Scores"
            caption="Scores on the 200 test images after training; the share of units that are never positive; roughness of the landscape"
            head={['activation', 'accuracy', 'loss', 'never positive', 'seconds an epoch', 'roughness']}
            rows={report.results.map((one) => [
              labelOf(one.activation, choice.beta),
              accuracyText(one.accuracy?.mean ?? null),
              figure(one.loss?.mean, 4),
              one.neverPositive === null ? '–' : accuracyText(one.neverPositive),
              figure(one.epochSeconds),
              figure(one.roughness),
            ])}
          />
          <div class="bar">
            <button
              type="button"
              onClick={() =>
                download(
                  'compare.json',
                  new Blob([`${JSON.stringify(report, null, 2)}\n`], { type: 'application/json' }),
                )
              }
            >
              Report as JSON
            </button>
          </div>
        </section>
      )}
    </>
  );
}
