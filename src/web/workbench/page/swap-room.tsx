import { useEffect } from 'preact/hooks';
import { CurveSection } from './curve-section.js';
import { GraphSection } from './graph-section.js';
import { ModelSection } from './model-section.js';
import { OpenSection } from './open-section.js';
import { ResultsSection } from './results-section.js';
import type { RoomProps } from './room-props.js';
import { RunSection } from './run-section.js';
import { SitesSection } from './sites-section.js';
import { SwapSection } from './swap-section.js';

/** Shows the model, its sites, the swap, and both models side by side. */
export function SwapRoom({ active, ...parts }: RoomProps) {
  const { model } = parts.state;
  const { checkFits } = parts.actions;
  // The check takes all cores, which a training in another room needs.
  useEffect(() => {
    if (active) checkFits();
  }, [active, model]);
  const hasSites = model !== null && model.inspection.sites.length > 0;
  // A model without ReLU may have Mish, which another activation can replace.
  const swappable = hasSites || parts.state.to !== undefined || (model?.inspection.mish.length ?? 0) > 0;
  return (
    <main class={model === null ? 'empty' : 'filled'} hidden={!active}>
      <div class="hero">
        <div class="intro">
          <h1>{model === null ? 'Swap ReLU for Mish' : model.name}</h1>
          <OpenSection {...parts} active={active} />
          {model !== null && <ModelSection {...parts} model={model} />}
        </div>
        {(model === null || hasSites) && <CurveSection {...parts} />}
      </div>
      {model !== null && (
        <>
          <SitesSection {...parts} model={model} />
          {hasSites && <GraphSection {...parts} model={model} />}
          {swappable && (
            <div class="pair">
              <SwapSection {...parts} model={model} />
              {hasSites && <RunSection {...parts} model={model} />}
            </div>
          )}
          <ResultsSection {...parts} />
        </>
      )}
    </main>
  );
}
