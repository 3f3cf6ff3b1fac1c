import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { integer } from '../../../base/plural.js';
import { short } from '../../../render/figures.js';
import type { GraphNode, NamedTensorType, SiteGraph } from '../protocol.js';
import { MAX_NAME, type PlacedEdge, placeGraph } from './graph-layout.js';
import { TextTable } from './text-table.js';

/** Draws the graph around a site. Each operator is a button that shows its tensors and attributes; arrow keys go along the edges. */
export function GraphView({ graph, label }: { readonly graph: SiteGraph; readonly label: string }) {
  const placed = useMemo(() => placeGraph(graph), [graph]);
  const [chosen, setChosen] = useState<number>(() => siteOf(graph));
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    const site = siteOf(graph);
    setChosen(site);
    const { x = 0, y = 0, width = 0 } = placed.nodes.find(({ node }) => node.id === site) ?? {};
    const view = box.current;
    view?.scrollTo(x + width / 2 - view.clientWidth / 2, y - view.clientHeight / 2);
  }, [placed]);
  const node = graph.nodes.find(({ id }) => id === chosen);
  const move = (event: KeyboardEvent) => {
    const next = neighbour(graph, chosen, event.key);
    if (next === undefined) return;
    event.preventDefault();
    setChosen(next);
    box.current?.querySelector<HTMLButtonElement>(`[data-node="${next}"]`)?.focus();
  };
  return (
    <>
      <div class="around">
        <section class="graph" ref={box} aria-label={label} onKeyDown={move}>
          <div style={{ width: `${placed.width}px`, height: `${placed.height}px` }}>
            <svg width={placed.width} height={placed.height} aria-hidden="true">
              <defs>
                <marker
                  id="arrow"
                  viewBox="0 0 8 8"
                  refX="7"
                  refY="4"
                  markerWidth="7"
                  markerHeight="7"
                  orient="auto"
                >
                  <path d="M0 0L8 4L0 8z" />
                </marker>
              </defs>
              {placed.edges.map((edge, index) => (
                <Edge key={`${index} ${edge.text}`} edge={edge} />
              ))}
            </svg>
            {placed.nodes.map(({ node: one, x, y, width, height }) => (
              <button
                key={one.id}
                type="button"
                data-node={one.id}
                class={`op ${one.isSite ? 'site' : familyOf(one)}`}
                aria-pressed={one.id === chosen}
                style={{ left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` }}
                onClick={() => setChosen(one.id)}
              >
                <b>{one.op}</b>
                <small>{short(one.name, MAX_NAME)}</small>
              </button>
            ))}
          </div>
        </section>
        {node !== undefined && <NodeFacts node={node} />}
      </div>
      <p class="quiet">
        Up to three steps before and after the site. Arrow keys go along the edges. Shapes are those that the
        model declares.
      </p>
      <GraphTable graph={graph} />
    </>
  );
}

/** Lists the operators as a table, for readers who do not see the drawing. */
function GraphTable({ graph }: { readonly graph: SiteGraph }) {
  return (
    <details>
      <summary>The graph as a table</summary>
      <TextTable
        label="Graph around the site"
        caption="Operators around the site, nearest first"
        head={['operator', 'name', 'inputs', 'outputs', 'attributes']}
        rows={graph.nodes.map((one) => [
          `${one.op}${one.isSite ? ' (the site)' : ''}`,
          one.name,
          one.inputs.map(tensorText).join('; '),
          one.outputs.map(tensorText).join('; '),
          one.attributes.map(([name, value]) => `${name} = ${value}`).join('; '),
        ])}
      />
    </details>
  );
}

function Edge({ edge: { points, text, middle } }: { readonly edge: PlacedEdge }) {
  const [first, ...others] = points;
  if (first === undefined) return null;
  return (
    <g>
      <path
        d={`M${first.x} ${first.y}${others.map(({ x, y }) => `L${x} ${y}`).join('')}`}
        marker-end="url(#arrow)"
      />
      {text !== '' && (
        <text x={middle.x} y={middle.y + 4} text-anchor="middle">
          {text}
        </text>
      )}
    </g>
  );
}

/** Shows the tensors and attributes of an operator. */
function NodeFacts({ node }: { readonly node: GraphNode }) {
  const { op, name, kind, inputs, outputs, weights, attributes, hidden } = node;
  const stored = new Set(weights.map((one) => one.name));
  const fed = inputs.filter((one) => !stored.has(one.name));
  const lists = [
    ['Inputs', fed],
    ['Weights', weights],
    ['Outputs', outputs],
  ] as const;
  return (
    <section class="node-facts" aria-live="polite" aria-label="The chosen operator">
      <h3>{kind === 'operator' ? op : `${op} of the graph`}</h3>
      <dl class="facts">
        {name !== '' && (
          <div>
            <dt>Name</dt>
            <dd>
              <code>{name}</code>
            </dd>
          </div>
        )}
        {lists.map(
          ([title, tensors]) =>
            tensors.length > 0 && (
              <div key={title}>
                <dt>{title}</dt>
                <dd>
                  {tensors.map((one) => (
                    <span class="value" key={one.name}>
                      <code>{one.name}</code> {one.elemType} {dimsText(one)}
                    </span>
                  ))}
                </dd>
              </div>
            ),
        )}
        {attributes.map(([attribute, value]) => (
          <div key={attribute}>
            <dt>{attribute}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {hidden > 0 && (
        <p class="quiet">{`${integer(hidden)} more ${hidden === 1 ? 'neighbour is' : 'neighbours are'} not shown.`}</p>
      )}
    </section>
  );
}

const dimsText = ({ dims }: NamedTensorType) =>
  dims === undefined ? '' : `[${dims.map((dim) => dim ?? '?').join(', ')}]`;

const tensorText = (tensor: NamedTensorType) =>
  `${tensor.name} ${tensor.elemType} ${dimsText(tensor)}`.trim();

const siteOf = ({ nodes }: SiteGraph) => nodes.find(({ isSite }) => isSite)?.id ?? 0;

/** Returns the neighbour that an arrow key leads to; undefined for other keys and at an end. */
export function neighbour({ edges, nodes }: SiteGraph, from: number, key: string): number | undefined {
  if (key === 'ArrowDown') return edges.find((edge) => edge.from === from)?.to;
  if (key === 'ArrowUp') return edges.find((edge) => edge.to === from)?.from;
  const step = key === 'ArrowRight' ? 1 : key === 'ArrowLeft' ? -1 : 0;
  if (step === 0) return undefined;
  const parents = new Set(edges.filter((edge) => edge.to === from).map((edge) => edge.from));
  const children = new Set(edges.filter((edge) => edge.from === from).map((edge) => edge.to));
  const beside = nodes.filter(
    ({ id }) =>
      id === from ||
      edges.some(
        (edge) => (edge.to === id && parents.has(edge.from)) || (edge.from === id && children.has(edge.to)),
      ),
  );
  return beside[beside.findIndex(({ id }) => id === from) + step]?.id;
}

/** Returns the family of an operator, which has a colour. */
function familyOf({ kind, op }: GraphNode): string {
  if (kind !== 'operator') return 'end';
  if (/^(Conv|Gemm|MatMul|LSTM|GRU|RNN)/.test(op)) return 'linear';
  if (/Pool/.test(op)) return 'pool';
  if (/Normalization/.test(op)) return 'norm';
  return 'other';
}
