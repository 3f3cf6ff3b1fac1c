import { useEffect, useMemo, useReducer, useRef } from 'preact/hooks';
import { useDroppedFiles } from '../page/dropped-files.js';
import { ProblemNote } from '../page/parts.js';
import type { RoomProps } from '../page/room-props.js';
import { finetuneActions } from './finetune-actions.js';
import { FinetuneCurves } from './finetune-curves.js';
import { FinetuneResults } from './finetune-results.js';
import { FinetuneSamples } from './finetune-samples.js';
import { FinetuneSettings } from './finetune-settings.js';
import { FINETUNE_START, type FinetuneAction, type FinetuneState, reduceFinetune } from './finetune-state.js';

/** Shows the training of the swapped model beside the original’s. */
export function FinetuneRoom({ state, actions: page, active }: RoomProps) {
  const now = useRef<FinetuneState>(FINETUNE_START);
  const [finetune, show] = useReducer((_: FinetuneState, next: FinetuneState) => next, FINETUNE_START);
  const dispatch = useMemo(
    () => (action: FinetuneAction) => {
      now.current = reduceFinetune(now.current, action);
      show(now.current);
    },
    [],
  );
  const actions = useMemo(() => finetuneActions(() => now.current, dispatch, page), []);
  const over = useDroppedFiles(active, (files) => actions.give(files));
  const model = state.files?.model;
  useEffect(() => dispatch({ kind: 'model', model }), [model]);
  const parts = { finetune, dispatch, actions };
  const { training } = finetune;
  return (
    <main class="room" hidden={!active}>
      <div class="intro wide">
        <h1>Fine-tune</h1>
        <p class="lead">
          A swapped network is another function, and training brings its accuracy back. The original is
          trained just as long beside it, because only the difference between the two says anything about
          Mish.
        </p>
      </div>
      <div class="pair">
        <FinetuneSamples {...parts} page={state} over={over} />
        <FinetuneSettings {...parts} page={state} />
      </div>
      {training !== null && (training.ended === 'no' || training.epochs.length > 0) && (
        <section class="card" aria-labelledby="finetune-curves-title">
          <h2 id="finetune-curves-title">Both learn</h2>
          <FinetuneCurves training={training} />
        </section>
      )}
      <ProblemNote problem={finetune.problems.train} />
      {training?.result && <FinetuneResults {...parts} result={training.result} />}
      <p class="unseen" role="status">
        {active ? finetune.announcement : ''}
      </p>
    </main>
  );
}
