import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { NOT_LOADED, type OpenedModel, type Problem, type SiteGraph, type SitePlace } from '../protocol.js';
import { answerTo } from './asker.js';
import { bench } from './bench.js';
import { loadPart } from './load-part.js';
import { type Parts, ProblemNote } from './parts.js';

type View = ComponentType<{ readonly graph: SiteGraph; readonly label: string }>;
type Drawn = { readonly View: View; readonly graph: SiteGraph } | { readonly problem: Problem };

/** Shows the graph around the selected site, once it is asked for. The code that draws it is loaded then. */
export function GraphSection({ state, model }: Pick<Parts, 'state'> & { readonly model: OpenedModel }) {
  const [open, setOpen] = useState(false);
  const [drawn, setDrawn] = useState<Drawn>();
  const { site, to } = state;
  const chosen = model.inspection.sites[site];
  useEffect(() => {
    let isCurrent = true;
    if (!open) return;
    setDrawn(undefined); // the graph of another site, or of another model
    drawnGraph({ site, to }).then((result) => {
      if (!isCurrent) return;
      setDrawn(result);
      if ('problem' in result) setOpen(false); // so that it can be asked for again
    });
    return () => {
      isCurrent = false;
    };
  }, [open, site, to, model]);
  if (chosen === undefined) return null;
  const name = chosen.label;
  return (
    <section class="card" aria-labelledby="graph-title">
      <h2 id="graph-title">
        The graph around it <small>{name}</small>
      </h2>
      {!open && (
        <div class="bar">
          <button type="button" onClick={() => setOpen(true)}>
            Draw the graph around this site
          </button>
        </div>
      )}
      {open && drawn === undefined && <p class="quiet">Drawing …</p>}
      {open && drawn !== undefined && 'graph' in drawn && (
        <drawn.View graph={drawn.graph} label={`The graph around ${name}`} />
      )}
      {drawn !== undefined && 'problem' in drawn && <ProblemNote problem={drawn.problem} />}
    </section>
  );
}

/** Asks for the graph around a site, and loads the code that draws it. */
async function drawnGraph(place: SitePlace): Promise<Drawn> {
  const answer = await answerTo(bench.graph(place));
  if (!answer.ok) return { problem: answer.problem };
  try {
    const { GraphView } = await loadPart(() => import('./graph-view.js'));
    return { View: GraphView, graph: answer.value };
  } catch {
    return { problem: NOT_LOADED };
  }
}
