import { integer, plural } from '../../../base/plural.js';
import type { ValueSummary } from '../../../mish/inspect.js';
import type { Fit, OpenedModel } from '../protocol.js';
import { size } from './files.js';
import { type Parts, PROVIDER_NAMES, ProblemNote } from './parts.js';

/** Shows facts about the model and the providers that can run it. */
export function ModelSection({ state, model }: Parts & { readonly model: OpenedModel }) {
  const { inspection } = model;
  const others = Object.entries(inspection.opsets).filter(([domain]) => domain !== '');
  return (
    <section aria-label="What it is">
      <dl class="facts">
        <Fact name="Size">{size(inspection.bytes)}</Fact>
        <Fact name="Opset">
          {inspection.opset}
          {others.map(([domain, version]) => `, ${domain} ${version}`)}
        </Fact>
        <Fact name="Nodes">{integer(inspection.nodes)}</Fact>
        {inspection.producer !== '' && <Fact name="Made by">{inspection.producer}</Fact>}
        <Fact name="Inputs">
          <Values values={inspection.inputs} />
        </Fact>
        <Fact name="Outputs">
          <Values values={inspection.outputs} />
        </Fact>
        {inspection.externalData.length > 0 && (
          <Fact name="Weights in">{inspection.externalData.join(', ')}</Fact>
        )}
      </dl>
      <details>
        <summary>{Object.keys(inspection.operators).length} operators</summary>
        <ul class="chips">
          {Object.entries(inspection.operators).map(([name, count]) => (
            <li key={name}>
              {name} <b>{count}</b>
            </li>
          ))}
        </ul>
      </details>
      <Fits title="The original runs on" fits={state.fits.original} />
      <Fits title="The swapped model runs on" fits={state.fits.swapped} />
      <ProblemNote problem={state.problems.fits} />
    </section>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Values({ values }: { readonly values: readonly ValueSummary[] }) {
  return (
    <>
      {values.map(({ name, elemType, dims }) => (
        <span class="value" key={name}>
          <code>{name}</code> {elemType}{' '}
          {dims === undefined ? '' : `[${dims.map((dim) => dim ?? '?').join(', ')}]`}
        </span>
      ))}
    </>
  );
}

/** Shows for each provider whether it can run the model, and the reason if not. */
function Fits({ title, fits }: { readonly title: string; readonly fits: readonly Fit[] | 'asking' | null }) {
  if (fits === null) return null;
  if (fits === 'asking') return <p class="quiet">{title} … (asking the browser)</p>;
  return (
    <div class="fits">
      <h2>{title}</h2>
      <ul>
        {fits.map(({ provider, runs, reason, fix, nodes }) => (
          <li key={provider} class={runs ? 'yes' : 'no'}>
            <b>{PROVIDER_NAMES[provider]}</b> {runs ? 'yes' : `no: ${reason ?? 'no reason given'}`}
            {!runs && (nodes.length > 0 || fix !== null) && (
              <details>
                <summary>
                  {nodes.length > 0
                    ? `${nodes.length === 1 ? 'one node' : plural(nodes.length, 'node')} it cannot run`
                    : 'What to do'}
                </summary>
                {fix !== null && <p>{fix}.</p>}
                <ul>
                  {nodes.map((node) => (
                    <li key={node}>{node}</li>
                  ))}
                </ul>
              </details>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}
