import { OnnxMishError } from '../../../base/error.js';
import { integer, plural } from '../../../base/plural.js';
import type { Site } from '../../../mish/site.js';
import { findSites } from '../../../mish/sites.js';
import { type Analysis, analyse } from '../../../onnx/analysis.js';
import {
  type Attribute,
  type DeclaredValue,
  type Node,
  type OnnxDocument,
  type Scope,
  tensorOfConstant,
} from '../../../onnx/document.js';
import { typeName } from '../../../onnx/types.js';
import type { GraphEdge, GraphNode, NamedTensorType, OtherActivation, SiteGraph } from '../protocol.js';

/** Maximum number of steps from the site, and of nodes that are shown. */
const MAX_STEPS = 3;
const MAX_NODES = 24;
/** Maximum number of listed inputs, outputs and attributes of a node, each. */
const MAX_LISTED = 50;
/** Maximum number of neighbours after a node that are shown. */
const MAX_READERS = 6;
/** Maximum number of shown numbers of an attribute, and of characters of its text. */
const MAX_NUMBERS = 12;
const MAX_CHARACTERS = 200;

/** The last analysis: of a large model it takes seconds, and the user looks at several sites. */
let last:
  | {
      readonly document: OnnxDocument;
      readonly to: OtherActivation | undefined;
      readonly analysis: Analysis;
      readonly sites: readonly Site[];
    }
  | undefined;

async function analysed(document: OnnxDocument, to: OtherActivation | undefined) {
  if (last?.document === document && last.to === to) return last;
  const analysis = analyse(document);
  last = { document, to, analysis, sites: (await findSites(document, { to }, analysis)).sites };
  return last;
}

/** A place in the graph: a node, or an input or output of the site's scope by its name. */
type Place = Node | string;

/**
 * Returns the operators around a site, up to three steps before and after it, nearest first. Throws `bad-usage` if the model has
 * no such site.
 */
export async function siteGraph(
  document: OnnxDocument,
  index: number,
  to?: OtherActivation,
): Promise<SiteGraph> {
  const { analysis, sites } = await analysed(document, to);
  const site = sites[index];
  if (site === undefined) throw new OnnxMishError('bad-usage', `the model has no site ${index}`);
  const { scope } = site;
  const around = neighboursIn(scope, analysis);
  const own: readonly Node[] = [...(site.inner ?? []), site.node];
  const places = nearest(own, around);
  const ids = new Map(places.map((place, id) => [place, id]));
  const typeOf = typesIn(scope, analysis);
  const isWeight = (name: string) =>
    storedIn(scope, name) !== undefined ||
    tensorOfConstant(analysis.index.producer(scope, name)) !== undefined;
  const edges = new Map<string, GraphEdge>();
  const nodes = places.map((place, id): GraphNode => {
    const near = [...around.before(place), ...around.after(place)];
    for (const { place: from, tensor } of around.before(place)) {
      const source = ids.get(from);
      if (source !== undefined)
        edges.set(`${source} ${id} ${tensor}`, { from: source, to: id, tensor: typeOf(tensor) });
    }
    const hidden = new Set(near.flatMap((one) => (ids.has(one.place) ? [] : [one.place]))).size;
    if (typeof place === 'string') return { ...endOf(place, typeOf), id, hidden };
    return {
      id,
      kind: 'operator',
      hidden,
      isSite: own.includes(place),
      op: place.domain === '' ? place.opType : `${place.domain}.${place.opType}`,
      name: place.name,
      inputs: named(place.inputs).map(typeOf),
      outputs: named(place.outputs).map(typeOf),
      weights: named(place.inputs).filter(isWeight).map(typeOf),
      attributes: place.attributes.slice(0, MAX_LISTED).map((one) => [one.name, attributeText(one)] as const),
    };
  });
  return { nodes, edges: [...edges.values()] };
}

/** Returns the names of tensors that are not left out. */
const named = (names: readonly string[]) => names.filter((name) => name !== '').slice(0, MAX_LISTED);

/** A neighbour, and the tensor between it and a place. */
interface Neighbour {
  readonly place: Place;
  readonly tensor: string;
}

interface Around {
  before(place: Place): Neighbour[];
  after(place: Place): Neighbour[];
}

/** Returns functions that find the neighbours of a place in a scope. A reader in a nested graph counts as the node that has the graph. */
function neighboursIn(scope: Scope, { index }: Analysis): Around {
  const inputs = new Set(
    scope.inputs.filter(({ name }) => !scope.initializers.has(name)).map(({ name }) => name),
  );
  const outputs = new Set(scope.outputs.map(({ name }) => name));
  const readers = (tensor: string): Neighbour[] => {
    const nodes = index.uses(scope, tensor).flatMap((use) => {
      if (use.kind === 'output') return [];
      let [reader, at]: [Node | undefined, Scope | undefined] = [use.node, use.scope];
      while (at !== scope && at !== undefined) [reader, at] = [at.owner, at.parent];
      return reader === undefined ? [] : [reader];
    });
    const all: Place[] = [...new Set(nodes), ...(outputs.has(tensor) ? [outputKey(tensor)] : [])];
    return all.map((place) => ({ place, tensor }));
  };
  const writer = (tensor: string): Neighbour[] => {
    const node = index.producer(scope, tensor);
    if (tensorOfConstant(node) !== undefined) return []; // its value counts as a weight
    if (node !== undefined) return [{ place: node, tensor }];
    return inputs.has(tensor) ? [{ place: inputKey(tensor), tensor }] : [];
  };
  return {
    before: (place) =>
      typeof place !== 'string'
        ? [...new Set(place.inputs)].flatMap(writer)
        : isOutput(place)
          ? writer(nameOf(place))
          : [],
    after: (place) =>
      typeof place !== 'string'
        ? place.outputs.filter((name) => name !== '').flatMap(readers)
        : isOutput(place)
          ? []
          : readers(nameOf(place)),
  };
}

const inputKey = (name: string) => `i${name}`;
const outputKey = (name: string) => `o${name}`;
const isOutput = (key: string) => key.startsWith('o');
const nameOf = (key: string) => key.slice(1);

/** Returns the places around nodes, nearest first. */
function nearest(from: readonly Node[], around: Around): Place[] {
  const found = new Set<Place>(from);
  let ring: readonly Place[] = from;
  for (let step = 0; step < MAX_STEPS; step++) {
    const next: Place[] = [];
    for (const place of ring) {
      for (const { place: near } of [...around.before(place), ...around.after(place).slice(0, MAX_READERS)]) {
        if (found.has(near) || found.size >= MAX_NODES) continue;
        found.add(near);
        next.push(near);
      }
    }
    ring = next;
  }
  return [...found];
}

/** Returns a function from a name to its type and shape, as the scope declares or implies them. */
function typesIn(scope: Scope, { index, types }: Analysis): (name: string) => NamedTensorType {
  return (name) => {
    const stored = storedIn(scope, name) ?? tensorOfConstant(index.producer(scope, name));
    if (stored !== undefined) return { name, elemType: typeName(stored.elemType), dims: stored.dims };
    const home = index.home(scope, name) ?? scope;
    const declared: DeclaredValue | undefined = home.values.get(name) ?? index.declared(home, name);
    return { name, elemType: typeName(types(home, name)), dims: declared?.dims };
  };
}

/** Returns the stored tensor with this name, as seen from a scope; undefined for other values. */
function storedIn(scope: Scope, name: string) {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const stored = at.initializers.get(name);
    if (stored !== undefined) return stored;
  }
  return undefined;
}

/** Returns the node of a graph's input or output. */
function endOf(key: string, typeOf: (name: string) => NamedTensorType) {
  const tensor = typeOf(nameOf(key));
  const ends = isOutput(key);
  return {
    kind: ends ? 'output' : 'input',
    op: ends ? 'Output' : 'Input',
    name: tensor.name,
    isSite: false,
    inputs: ends ? [tensor] : [],
    outputs: ends ? [] : [tensor],
    weights: [],
    attributes: [],
  } as const;
}

/** Formats an attribute's value: numbers and text as they are, tensors and graphs by their kind. */
function attributeText({ ref, type, f, i, s, ints, strings, tensor, graphs }: Attribute): string {
  if (ref !== undefined) return `@${ref}`;
  if (graphs !== undefined) return graphs.length === 1 ? 'a graph' : plural(graphs.length, 'graph');
  if (tensor !== undefined) return `${typeName(tensor.elemType)} [${tensor.dims.join(', ')}]`;
  const list = ints ?? strings;
  if (list !== undefined) {
    const more = list.length > MAX_NUMBERS ? `, … ${integer(list.length)} in all` : '';
    return `[${list.slice(0, MAX_NUMBERS).join(', ')}${more}]`.slice(0, MAX_CHARACTERS);
  }
  if (s !== undefined) return s.slice(0, MAX_CHARACTERS);
  return type === FLOAT ? String(Number(f.toPrecision(6))) : type === INT ? String(i) : '…';
}

/** AttributeProto.AttributeType. */
const FLOAT = 1;
const INT = 2;
