import { useEffect, useMemo, useReducer, useRef } from 'preact/hooks';
import { HANDED_HASH } from '../protocol.js';
import { actionsOn } from './actions.js';
import { CurveSection } from './curve-section.js';
import { ModelSection } from './model-section.js';
import { OpenSection } from './open-section.js';
import { ResultsSection } from './results-section.js';
import { RunSection } from './run-section.js';
import { SitesSection } from './sites-section.js';
import { type Action, reduce, START, type State } from './state.js';
import { SwapSection } from './swap-section.js';

/** Returns the state and the actions. Answers of the worker use the state at the time they arrive. */
function useWorkbench() {
  const now = useRef<State>(START);
  const [state, show] = useReducer((_: State, next: State) => next, START);
  const dispatch = useMemo(
    () => (action: Action) => {
      now.current = reduce(now.current, action);
      show(now.current);
    },
    [],
  );
  const actions = useMemo(() => actionsOn(() => now.current, dispatch), []);
  return { state, dispatch, actions };
}

export function App() {
  const { state, dispatch, actions } = useWorkbench();
  useEffect(() => {
    if (location.hash === HANDED_HASH) void actions.takeHanded();
  }, []);
  const { model } = state;
  const parts = { state, dispatch, actions };
  return (
    <>
      <header class="top">
        <p class="brand">
          <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
            <path d="M2 19.5C8 20 10 23.5 15 23.2C20 22.8 22 12 30 5" />
          </svg>
          onnx-mish <span>workbench</span>
        </p>
        <p class="private">Nothing leaves this page.</p>
      </header>
      <main class={model === null ? 'empty' : 'filled'}>
        <div class="hero">
          <div class="intro">
            <h1>{model === null ? 'Swap ReLU for Mish' : model.name}</h1>
            <OpenSection {...parts} />
            {model !== null && <ModelSection {...parts} model={model} />}
          </div>
          <CurveSection {...parts} />
        </div>
        {model !== null && (
          <>
            <SitesSection {...parts} model={model} />
            <div class="pair">
              <SwapSection {...parts} model={model} />
              <RunSection {...parts} model={model} />
            </div>
            <ResultsSection {...parts} />
          </>
        )}
      </main>
      <p class="unseen" role="status">
        {state.announcement}
      </p>
    </>
  );
}
