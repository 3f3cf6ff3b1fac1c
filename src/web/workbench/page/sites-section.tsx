import { useMemo, useState } from 'preact/hooks';
import { integer, plural } from '../../../base/plural.js';
import { ACTIVATIONS } from '../../../mish/activations.js';
import type { Inspection } from '../../../mish/inspect.js';
import { notesOnInspection } from '../../../mish/inspection-notes.js';
import { figure } from '../../../render/figures.js';
import type { OpenedModel } from '../protocol.js';
import { NoteList } from './note-list.js';
import { type Parts, TableBox } from './parts.js';

type Site = Inspection['sites'][number] & { readonly index: number };
type Column = 'index' | 'label' | 'kind' | 'alpha' | 'elemType' | 'scope';

const COLUMNS: readonly (readonly [Column, string])[] = [
  ['index', 'Place'],
  ['label', 'Name'],
  ['kind', 'Kind'],
  ['alpha', 'Slope α'],
  ['elemType', 'Type'],
  ['scope', 'In'],
];
/** Rows shown until the user asks for all. */
const FIRST_ROWS = 200;

/** Returns the sites whose text contains every search word, sorted by a column. */
function arranged(sites: readonly Site[], search: string, column: Column, down: boolean): Site[] {
  const words = search.toLowerCase().split(/\s+/);
  const text = (site: Site) =>
    `${site.label} ${site.output} ${site.kind} ${site.alpha ?? ''} ${site.elemType} ${site.scope}`.toLowerCase();
  const compare = (a: Site, b: Site) => {
    const [one, other] = [a[column] ?? '', b[column] ?? ''];
    if (typeof one === 'number' && typeof other === 'number') return one - other;
    return String(one).localeCompare(String(other), 'en', { numeric: true });
  };
  return sites
    .filter((site) => words.every((word) => text(site).includes(word)))
    .sort((a, b) => (down ? -1 : 1) * (compare(a, b) || a.index - b.index));
}

/** Shows the sites to choose from, the skipped activations with reasons, and the Mish already in the model. */
export function SitesSection({ state, dispatch, model }: Parts & { readonly model: OpenedModel }) {
  const { sites, skipped, mish } = model.inspection;
  return (
    <section class="card" aria-labelledby="sites-title">
      <h2 id="sites-title">
        Sites{' '}
        {sites.length > 0 && (
          <small>{`${integer(state.chosen.size)} of ${integer(sites.length)} chosen`}</small>
        )}
      </h2>
      {sites.length === 0 ? (
        <p class="quiet">
          {state.to === undefined
            ? 'There is no ReLU or LeakyReLU that could be swapped.'
            : `There is nothing that could become ${ACTIVATIONS[state.to].label}.`}
        </p>
      ) : (
        <SiteChooser state={state} dispatch={dispatch} sites={sites} />
      )}
      <NoteList notes={notesOnInspection(model.inspection)} />
      {skipped.length > 0 && (
        <details>
          <summary>{`${plural(skipped.length, 'activation')} skipped, with reasons`}</summary>
          <Listing
            label="Activations that are left alone"
            heads={['Name', 'Kind', 'Why']}
            rows={skipped.map(({ label, kind, why }) => [label, kind, why])}
          />
        </details>
      )}
      {mish.length > 0 && (
        <details>
          <summary>{`${plural(mish.length, 'site')} with Mish already`}</summary>
          <Listing
            label="Mish that is there already"
            heads={['Name', 'Form', 'β']}
            rows={mish.map(({ label, form, beta }) => [label, form, String(beta)])}
          />
        </details>
      )}
    </section>
  );
}

/** Shows a table of sites to search, sort, choose and look at. */
function SiteChooser(props: Pick<Parts, 'state' | 'dispatch'> & Pick<Inspection, 'sites'>) {
  const { state, dispatch, sites } = props;
  const [search, setSearch] = useState('');
  const [column, setColumn] = useState<Column>('index');
  const [down, setDown] = useState(false);
  const [whole, setWhole] = useState(false);
  const all = useMemo(() => sites.map((site, index) => ({ ...site, index })), [sites]);
  const shown = useMemo(() => arranged(all, search, column, down), [all, search, column, down]);
  const choose = (on: boolean) =>
    dispatch({ kind: 'choose-sites', sites: shown.map(({ index }) => index), on });
  const sortBy = (next: Column) => {
    setDown(next === column && !down);
    setColumn(next);
  };
  return (
    <>
      <div class="bar">
        <label class="unseen" for="search">
          Search sites
        </label>
        <input
          id="search"
          type="search"
          placeholder="Search by name, kind, type …"
          value={search}
          onInput={({ currentTarget }) => setSearch(currentTarget.value)}
        />
        <button type="button" onClick={() => choose(true)}>
          Choose {search === '' ? 'all' : `these ${integer(shown.length)}`}
        </button>
        <button type="button" onClick={() => choose(false)}>
          {search === '' ? 'None' : 'None of these'}
        </button>
      </div>
      <TableBox label="Table of sites">
        <table>
          <caption class="unseen">Sites: choose which to swap, and which to show as a curve</caption>
          <SiteHead column={column} down={down} sortBy={sortBy} />
          <tbody>
            {(whole ? shown : shown.slice(0, FIRST_ROWS)).map((site) => (
              <SiteRow key={site.index} state={state} dispatch={dispatch} site={site} />
            ))}
          </tbody>
        </table>
      </TableBox>
      {shown.length === 0 && <p class="quiet">No site matches these words.</p>}
      {!whole && shown.length > FIRST_ROWS && (
        <button type="button" onClick={() => setWhole(true)}>
          Show all {integer(shown.length)}
        </button>
      )}
    </>
  );
}

/** Shows the heads of the columns; a click on one sorts by it. */
function SiteHead(props: {
  readonly column: Column;
  readonly down: boolean;
  readonly sortBy: (column: Column) => void;
}) {
  const { column, down, sortBy } = props;
  return (
    <thead>
      <tr>
        <th scope="col">Swap</th>
        {COLUMNS.map(([name, title]) => (
          <th
            key={name}
            scope="col"
            aria-sort={name === column ? (down ? 'descending' : 'ascending') : 'none'}
          >
            <button type="button" class="sort" onClick={() => sortBy(name)}>
              {title}
              <span aria-hidden="true">{name === column ? (down ? ' ↓' : ' ↑') : ''}</span>
            </button>
          </th>
        ))}
        <th scope="col">Curve</th>
      </tr>
    </thead>
  );
}

function SiteRow(props: Pick<Parts, 'state' | 'dispatch'> & { readonly site: Site }) {
  const { state, dispatch, site } = props;
  return (
    <tr class={site.index === state.site ? 'looked-at' : undefined}>
      <td>
        <input
          type="checkbox"
          aria-label={`Swap ${site.label}`}
          checked={state.chosen.has(site.index)}
          onChange={({ currentTarget }) =>
            dispatch({ kind: 'choose-sites', sites: [site.index], on: currentTarget.checked })
          }
        />
      </td>
      <td class="number">{site.index + 1}</td>
      <th scope="row">{site.label}</th>
      <td>{site.kind}</td>
      <td class="number">{typeof site.alpha === 'number' ? figure(site.alpha) : (site.alpha ?? '–')}</td>
      <td>{site.elemType}</td>
      <td>{site.scope}</td>
      <td>
        <button
          type="button"
          aria-pressed={site.index === state.site}
          aria-label={`Look at ${site.label}`}
          onClick={() => dispatch({ kind: 'look-at', site: site.index })}
        >
          Look
        </button>
      </td>
    </tr>
  );
}

function Listing(props: {
  readonly label: string;
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
}) {
  return (
    <TableBox label={props.label}>
      <table>
        <caption class="unseen">{props.label}</caption>
        <thead>
          <tr>
            {props.heads.map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.rows.map(([name, ...cells], index) => (
            <tr key={`${index} ${name}`}>
              <th scope="row">{name}</th>
              {cells.map((cell) => (
                <td key={cell}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </TableBox>
  );
}
