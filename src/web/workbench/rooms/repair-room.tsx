import { useEffect, useMemo, useReducer, useRef } from 'preact/hooks';
import { integer } from '../../../base/plural.js';
import { useDroppedFiles } from '../page/dropped-files.js';
import { FileDrop } from '../page/file-drop.js';
import { InputFields } from '../page/input-fields.js';
import { type Parts, ProblemNote } from '../page/parts.js';
import type { RoomProps } from '../page/room-props.js';
import { RankingResults } from './ranking-results.js';
import { repairActions } from './repair-actions.js';
import { RepairControls } from './repair-controls.js';
import type { RepairParts } from './repair-parts.js';
import { RepairResults } from './repair-results.js';
import { REPAIR_START, type RepairAction, type RepairState, reduceRepair } from './repair-state.js';

/** Shows the repair of a swapped model without labels, and the ranking of its sites. */
export function RepairRoom({ state, dispatch: dispatchPage, actions: page, active }: RoomProps) {
  const now = useRef<RepairState>(REPAIR_START);
  const [repair, show] = useReducer((_: RepairState, next: RepairState) => next, REPAIR_START);
  const dispatch = useMemo(
    () => (action: RepairAction) => {
      now.current = reduceRepair(now.current, action);
      show(now.current);
    },
    [],
  );
  const actions = useMemo(() => repairActions(() => now.current, dispatch, page, dispatchPage), []);
  const over = useDroppedFiles(active, (files) => actions.give(files));
  const model = state.files?.model;
  useEffect(() => dispatch({ kind: 'model', model }), [model]);
  useEffect(() => dispatch({ kind: 'samples' }), [state.feed]);
  const parts = { repair, dispatch, actions, page: state };
  const { ranked, repaired } = repair;
  return (
    <main class="room" hidden={!active}>
      <div class="intro wide">
        <h1>Repair</h1>
        <p class="lead">
          A swapped network is another function, so its answers move. The repair solves its weights again from
          samples, without labels, until the outputs are near the original’s. The ranking tells which sites
          move them most.
        </p>
      </div>
      <div class="pair">
        <RepairSamples {...parts} pageParts={{ state, dispatch: dispatchPage, actions: page }} over={over} />
        <RepairControls {...parts} />
      </div>
      <ProblemNote problem={repair.problems.calibrate ?? repair.problems.rank} />
      {repaired !== null && <RepairResults {...parts} {...repaired} />}
      {ranked !== null && <RankingResults {...parts} {...ranked} />}
      <p class="unseen" role="status">
        {active ? repair.announcement : ''}
      </p>
    </main>
  );
}

/** Shows the fields for the model and its samples; files can be dropped anywhere on the page. */
function RepairSamples(props: RepairParts & { readonly pageParts: Parts; readonly over: boolean }) {
  const { repair, actions, page, pageParts, over } = props;
  const { model } = page;
  return (
    <section class="card" aria-labelledby="repair-samples-title">
      <h2 id="repair-samples-title">Model and samples</h2>
      <FileDrop
        id="repair-files"
        over={over}
        title="Drop a model and samples here, or choose files"
        onFiles={(files) => actions.give(files)}
      >
        an .onnx file; an .npz with the inputs, or images; a few hundred samples, labels or not
      </FileDrop>
      <dl class="facts">
        <div>
          <dt>Model</dt>
          <dd>{page.opening ?? (model === null ? 'none yet' : model.name)}</dd>
        </div>
        {model === null && page.feed.npz !== null && (
          <div>
            <dt>Samples</dt>
            <dd>{page.feed.npz.name}</dd>
          </div>
        )}
        {model !== null && (
          <div>
            <dt>Sites</dt>
            <dd>
              {model.inspection.sites.length === 0
                ? 'none'
                : `${integer(page.chosen.size)} of ${integer(model.inspection.sites.length)} chosen in the room Swap and run`}
            </dd>
          </div>
        )}
      </dl>
      {model !== null && <InputFields {...pageParts} id="repair" model={model} noise={false} />}
      <ProblemNote problem={page.problems.open} />
      <ProblemNote problem={repair.problems.samples} />
    </section>
  );
}
