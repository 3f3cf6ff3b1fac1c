import type { Node, OnnxDocument, Scope } from './document.js';

/** A place where a value is read: input `slot` of a node, or an output of a scope. */
export type Use =
  | { readonly kind: 'input'; readonly node: Node; readonly slot: number; readonly scope: Scope }
  | { readonly kind: 'output'; readonly scope: Scope; readonly slot: number };

/** Who makes a value and who reads it, with names resolved through the scopes that can see them. */
export interface GraphIndex {
  /** The scope in which a name seen from `scope` is defined. */
  home(scope: Scope, name: string): Scope | undefined;
  /** The node of this very scope that makes the value. */
  producer(scope: Scope, name: string): Node | undefined;
  /** Every use of a value that `scope` defines, in nested graphs too. */
  uses(scope: Scope, name: string): readonly Use[];
}

interface Entry {
  readonly producers: Map<string, Node>;
  readonly named: Set<string>;
  readonly uses: Map<string, Use[]>;
}

/** Builds the index of a document; one pass over its nodes. */
export function indexGraphs(document: OnnxDocument): GraphIndex {
  const entries = new Map<Scope, Entry>();
  for (const scope of document.scopes) {
    const producers = new Map<string, Node>();
    for (const node of scope.nodes) for (const output of node.outputs) producers.set(output, node);
    const named = new Set(scope.inputs.map((value) => value.name));
    for (const name of scope.initializers.keys()) named.add(name);
    entries.set(scope, { producers, named, uses: new Map() });
  }

  function home(from: Scope, name: string): Scope | undefined {
    for (let scope: Scope | undefined = from; scope !== undefined; scope = scope.parent) {
      const entry = entries.get(scope);
      if (entry?.producers.has(name) || entry?.named.has(name)) return scope;
    }
    return undefined;
  }

  function note(from: Scope, name: string, use: Use): void {
    if (name === '') return;
    const uses = entries.get(home(from, name) ?? from)?.uses;
    const list = uses?.get(name);
    if (list === undefined) uses?.set(name, [use]);
    else list.push(use);
  }

  for (const scope of document.scopes) {
    for (const node of scope.nodes) {
      node.inputs.forEach((name, slot) => {
        note(scope, name, { kind: 'input', node, slot, scope });
      });
    }
    scope.outputs.forEach((output, slot) => {
      note(scope, output.name, { kind: 'output', scope, slot });
    });
  }

  return {
    home,
    producer: (scope, name) => entries.get(scope)?.producers.get(name),
    uses: (scope, name) => entries.get(scope)?.uses.get(name) ?? [],
  };
}
