import type { Checksum } from './checksum.js';
import type { Attribute, DeclaredValue, Node, PlacedValue, Scope, StoredTensor } from './document.js';
import { type TensorContext, weigh } from './scan-values.js';
import type { Operator, ScannedNode } from './scanned-node.js';

/** Memory of a graph or function, as a number of parts; see `Reader.parts`. */
const SCOPE_PARTS = 20;

export type Draft<T> = { -readonly [K in keyof T]: T[K] };
export interface ScopeDraft extends Draft<Scope> {
  inputs: DeclaredValue[];
  outputs: DeclaredValue[];
  initializers: Map<string, StoredTensor>;
  values: Map<string, PlacedValue>;
  nodes: Node[];
}

/** State of a scan that all scopes share. */
export interface Context extends TensorContext {
  readonly scopes: Scope[];
  /** The used paths, each with the last suffix that was tried. */
  readonly paths: Map<string, number>;
  /** The operators so far, by key. */
  readonly operators: Map<string, Operator>;
  /** Cached lists of attributes without tensors or graphs, by their bytes. */
  readonly plain: Map<string, { readonly list: readonly Attribute[]; readonly checksum: Checksum }>;
}

/** The node that has a nested graph as an attribute, with its scope. */
export interface Owner {
  readonly scope: Scope;
  readonly node: Node;
}

/** A node whose attributes are being read, with its scope. */
export interface NodeDraft extends Owner {
  readonly node: ScannedNode;
}

/** Adds an empty scope with a path of its own to the context. Throws `malformed` for too many parts. */
export function newScope(
  context: Context,
  kind: Scope['kind'],
  path: string,
  opsets: ReadonlyMap<string, number>,
  owner?: Owner,
): ScopeDraft {
  // A path identifies a scope, for example in a plan. Names in the file need not be unique, so a suffix may be needed.
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
