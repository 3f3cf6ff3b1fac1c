import type { DeclaredValue, Node, OnnxDocument, Scope } from './document.js';
import { checkNames } from './names.js';

/** A place where a value is read: input `slot` of a node, or an output of a scope. */
export type Use =
  | { readonly kind: 'input'; readonly node: Node; readonly slot: number; readonly scope: Scope }
  | { readonly kind: 'output'; readonly scope: Scope; readonly slot: number };

/** Index of the producer and the uses of each value. Names resolve through the enclosing scopes. */
export interface GraphIndex {
  /** Returns the scope that defines a name, as seen from `scope`. */
  home(scope: Scope, name: string): Scope | undefined;
  /** Returns the input, or else the output, with this name. Ignores enclosing scopes. */
  declared(scope: Scope, name: string): DeclaredValue | undefined;
  isInput(scope: Scope, name: string): boolean;
  /** Returns the node that outputs the value. Ignores enclosing scopes. */
  producer(scope: Scope, name: string): Node | undefined;
  /** Returns every use of a value that `scope` defines, including uses in nested graphs. */
  uses(scope: Scope, name: string): readonly Use[];
  /** Returns every use of the value with this number; none for -1. */
  usesOf(number: number): readonly Use[];
  /** Returns the number of the value at an input slot that the node has; -1 for an absent input. */
  input(scope: Scope, node: Node, slot: number): number;
  /** Returns the number of the value that a node outputs at a slot; -1 for an absent output, and for the slot after the last. */
  output(scope: Scope, node: Node, slot: number): number;
  /** Returns the node of the same scope whose output a node reads at an input slot. Looks up no name, so it is quick. */
  source(scope: Scope, node: Node, slot: number): Node | undefined;
  /** Returns the number of a value that `scope` defines, or of an undefined name that it reads. */
  number(scope: Scope, name: string): number | undefined;
  /** Number of values. They are numbered from 0. */
  readonly count: number;
  /** Returns the numbers [from, to) of the values that a graph or function and its nested graphs define. */
  range(root: Scope): readonly [from: number, to: number];
}

/** The numbers of a scope's names. */
interface Names {
  /** The scope's values have the numbers [from, to). */
  readonly from: number;
  readonly to: number;
  readonly defined: Map<string, number>;
  readonly undefined: Map<string, number>;
  readonly inputs: ReadonlyMap<string, DeclaredValue>;
  readonly outputs: ReadonlyMap<string, DeclaredValue>;
  /** First use of each node's inputs, then of the scope's outputs. */
  readonly starts: Int32Array;
  /** First output of each node, among the outputs of the scope's nodes. */
  readonly firsts: Int32Array;
  /** The numbers of these outputs, and a -1 after those of each node. */
  readonly results: Int32Array;
}

/** Number of values whose list of uses is cached, and maximum length of a cached list. */
const RECENT = 64;

const byName = (values: readonly DeclaredValue[]) => new Map(values.map((value) => [value.name, value]));

/**
 * Builds the index of a document in a single pass over its nodes. Stores values and uses in arrays by number, since a
 * model may have millions. Throws `malformed` for too many names. Not split because its methods share these arrays.
 */
export function indexGraphs(document: OnnxDocument): GraphIndex {
  const { scopes } = document;
  const tables = new Map<Scope, Names>();
  const ranges = new Map<Scope, readonly [number, number]>();
  const producers: (Node | undefined)[] = [];
  let count = 0;
  let total = 0;
  const nextNumber = (): number => {
    checkNames(count + 1, document);
    return count++;
  };
  for (const scope of scopes) {
    const from = count;
    const defined = new Map<string, number>();
    const define = (name: string, node?: Node): number => {
      if (name === '') return -1; // it marks an absent input or output
      let number = defined.get(name);
      if (number === undefined) {
        number = nextNumber();
        defined.set(name, number);
      }
      producers[number] = node ?? producers[number];
      return number;
    };
    const firsts = new Int32Array(scope.nodes.length);
    const results: number[] = [];
    for (const node of scope.nodes) {
      firsts[node.index] = results.length;
      for (const output of node.outputs) results.push(define(output, node));
      results.push(-1);
      total += node.inputs.length;
    }
    for (const { name } of scope.inputs) define(name);
    for (const name of scope.initializers.keys()) define(name);
    total += scope.outputs.length;
    const [inputs, outputs] = [byName(scope.inputs), byName(scope.outputs)];
    const starts = new Int32Array(scope.nodes.length + 1);
    tables.set(scope, {
      from,
      to: count,
      defined,
      undefined: new Map(),
      inputs,
      outputs,
      starts,
      firsts,
      results: Int32Array.from(results),
    });
    ranges.set(scope.root, [ranges.get(scope.root)?.[0] ?? from, count]);
  }

  // Queries often repeat the same name and scope, so the last result is cached.
  let tableScope: Scope | undefined;
  let table: Names | undefined;
  const namesOf = (scope: Scope): Names | undefined => {
    if (scope !== tableScope) {
      tableScope = scope;
      table = tables.get(scope);
    }
    return table;
  };
  let lastFrom: Scope | undefined;
  let lastName: string | undefined;
  let lastHome: Scope | undefined;
  let lastNumber: number | undefined;
  function remember(from: Scope, name: string, home: Scope, found: number): void {
    lastFrom = from;
    lastName = name;
    lastHome = home;
    lastNumber = found;
  }
  function home(from: Scope, name: string): Scope | undefined {
    if (name === lastName && (from === lastFrom || from === lastHome)) return lastHome;
    for (let scope: Scope | undefined = from; scope !== undefined; scope = scope.parent) {
      const found = namesOf(scope)?.defined.get(name);
      if (found === undefined) continue;
      remember(from, name, scope, found);
      return scope;
    }
    return undefined;
  }
  /** Returns the number of a value that `scope` defines. */
  function definedNumber(scope: Scope, name: string): number | undefined {
    if (scope === lastHome && name === lastName) return lastNumber;
    const found = namesOf(scope)?.defined.get(name);
    if (found !== undefined) remember(scope, name, scope, found);
    return found;
  }
  const number = (scope: Scope, name: string): number | undefined =>
    definedNumber(scope, name) ?? namesOf(scope)?.undefined.get(name);

  // The inputs of all nodes and the outputs of all scopes, in order.
  const readers: (Node | undefined)[] = new Array(total + 1);
  const values = new Int32Array(total + 1);
  const where = new Int32Array(total + 1);
  let use = 0;
  function note(place: number, from: Scope, name: string, node?: Node): void {
    values[++use] = -1;
    if (name === '') return;
    const owner = home(from, name) ?? from;
    let value = number(owner, name);
    if (value === undefined) {
      value = nextNumber();
      namesOf(owner)?.undefined.set(name, value);
    }
    readers[use] = node;
    values[use] = value;
    where[use] = place;
  }
  scopes.forEach((scope, place) => {
    const { starts } = namesOf(scope) ?? { starts: new Int32Array(1) };
    for (const node of scope.nodes) {
      starts[node.index] = use + 1;
      for (const name of node.inputs) note(place, scope, name, node);
    }
    starts[scope.nodes.length] = use + 1;
    for (const { name } of scope.outputs) note(place, scope, name);
  });
  // The uses of a value form a linked list: the first use by value number, then the next by use; 0 ends the list.
  const next = new Int32Array(total + 1);
  const first = new Int32Array(count);
  for (; use > 0; use--) {
    const value = values[use] ?? -1;
    if (value < 0) continue;
    next[use] = first[value] ?? 0;
    first[value] = use;
  }
  /** Returns the slot of a use in the node's inputs or the scope's outputs. */
  const slotOf = (use: number, scope: Scope, node: Node | undefined): number =>
    use - (namesOf(scope)?.starts[node?.index ?? scope.nodes.length] ?? use);

  // Queries about the same value often follow each other.
  const recentNumbers = new Int32Array(RECENT).fill(-1);
  const recentUses: (readonly Use[])[] = [];
  function usesOf(value = -1): readonly Use[] {
    if (value < 0) return [];
    const place = value % RECENT;
    const before = recentUses[place];
    if (before !== undefined && recentNumbers[place] === value) return before;
    const found: Use[] = [];
    for (let at = first[value] ?? 0; at > 0; at = next[at] ?? 0) {
      const node = readers[at];
      const from = scopes[where[at] ?? -1];
      if (from === undefined) continue;
      const slot = slotOf(at, from, node);
      found.push(node ? { kind: 'input', node, slot, scope: from } : { kind: 'output', scope: from, slot });
    }
    if (found.length <= RECENT) {
      recentNumbers[place] = value;
      recentUses[place] = found;
    }
    return found;
  }

  const input = (scope: Scope, node: Node, slot: number): number =>
    values[(namesOf(scope)?.starts[node.index] ?? 0) + slot] ?? -1;
  return {
    home,
    number,
    input,
    output(scope, node, slot) {
      const names = namesOf(scope);
      return names?.results[(names.firsts[node.index] ?? 0) + slot] ?? -1;
    },
    usesOf,
    source(scope, node, slot) {
      const number = input(scope, node, slot);
      const { from, to } = namesOf(scope) ?? { from: 0, to: 0 };
      return number >= from && number < to ? producers[number] : undefined;
    },
    count,
    range: (root) => ranges.get(root) ?? [0, 0],
    declared: (scope, name) => namesOf(scope)?.inputs.get(name) ?? namesOf(scope)?.outputs.get(name),
    isInput: (scope, name) => namesOf(scope)?.inputs.has(name) ?? false,
    producer: (scope, name) => producers[definedNumber(scope, name) ?? -1],
    uses: (scope, name) => usesOf(number(scope, name)),
  };
}
