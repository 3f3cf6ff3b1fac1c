import type { Checksum } from './checksum.js';
import type { Attribute, Node, PlacedValue, Scope, Tensor, Value } from './document.js';
import { type TensorContext, weigh } from './scan-values.js';
import type { Operator, ScannedNode } from './scanned-node.js';

/** How many nodes a graph or function weighs as much as, in memory. */
const SCOPE_PARTS = 20;

export type Draft<T> = { -readonly [K in keyof T]: T[K] };
export interface ScopeDraft extends Draft<Scope> {
  inputs: Value[];
  outputs: Value[];
  initializers: Map<string, Tensor>;
  values: Map<string, PlacedValue>;
  nodes: Node[];
}

export interface Context extends TensorContext {
  readonly scopes: Scope[];
  /** The paths in use, and how far those of one name are counted. */
  readonly paths: Map<string, number>;
  /** The operators that were met. */
  readonly operators: Map<string, Operator>;
  /** Attributes without tensors or graphs, by their bytes. */
  readonly plain: Map<string, { readonly list: readonly Attribute[]; readonly checksum: Checksum }>;
}

/** The node, and its scope, that a nested graph belongs to. */
export interface Owner {
  readonly scope: Scope;
  readonly node: Node;
}

/** The same while its attributes are read. */
export interface NodeDraft extends Owner {
  readonly node: ScannedNode;
}

export function newScope(
  context: Context,
  kind: Scope['kind'],
  path: string,
  opsets: ReadonlyMap<string, number>,
  owner?: Owner,
): ScopeDraft {
  // A path identifies a scope, in a plan for one; the names it is made of need not be unique.
  const { paths } = context;
  let unique = path;
  let count = paths.get(path) ?? 1;
  while (paths.has(unique)) unique = `${path}#${++count}`;
  paths.set(path, count).set(unique, 1);
  const scope = {
    kind,
    path: unique,
    parent: owner?.scope,
    owner: owner?.node,
    inputs: [],
    outputs: [],
    initializers: new Map(),
    values: new Map(),
    nodes: [],
    opsets,
  } as unknown as ScopeDraft;
  scope.root = owner?.scope.root ?? scope;
  context.scopes.push(scope);
  weigh(context.reader, SCOPE_PARTS, 0);
  return scope;
}
