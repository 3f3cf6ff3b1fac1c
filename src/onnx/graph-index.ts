import type { Node, OnnxDocument, Scope, Value } from './document.js';
import { checkNames } from './names.js';

/** A place where a value is read: input `slot` of a node, or an output of a scope. */
export type Use =
  | { readonly kind: 'input'; readonly node: Node; readonly slot: number; readonly scope: Scope }
  | { readonly kind: 'output'; readonly scope: Scope; readonly slot: number };

/** Who makes a value and who reads it, with names resolved through the scopes that can see them. */
export interface GraphIndex {
  /** The scope in which a name seen from `scope` is defined. */
  home(scope: Scope, name: string): Scope | undefined;
  /** The input or output of this very scope with this name; the input, where there are both. */
  declared(scope: Scope, name: string): Value | undefined;
  isInput(scope: Scope, name: string): boolean;
  /** The node of this very scope that makes the value. */
  producer(scope: Scope, name: string): Node | undefined;
  /** Every use of a value that `scope` defines, in nested graphs too. */
  uses(scope: Scope, name: string): readonly Use[];
  /** The number of a name of this very scope: of what it defines, or reads though nothing defines it. */
  number(scope: Scope, name: string): number | undefined;
  /** How many numbers there are; they start at 0. */
  readonly count: number;
  /** The numbers of what a graph or function and all graphs inside it define, from a first one to before another. */
  range(root: Scope): readonly [from: number, to: number];
}

/** The numbers of a scope's names. */
interface Names {
  readonly defined: Map<string, number>;
  readonly undefined: Map<string, number>;
  readonly inputs: ReadonlyMap<string, Value>;
  readonly outputs: ReadonlyMap<string, Value>;
}

/** Of how many values the uses are kept as lists, and how many of one. */
const RECENT = 64;

const byName = (values: readonly Value[]) => new Map(values.map((value) => [value.name, value]));

/**
 * Builds the index of a document; one pass over its nodes. What there is one of for each value or use is in arrays by
 * number, since a model may have millions of them. Throws `malformed` for more names than can be told apart.
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
    const from = ranges.get(scope.root)?.[0] ?? count;
    const defined = new Map<string, number>();
    const define = (name: string, node?: Node) => {
      let number = defined.get(name);
      if (number === undefined) {
        number = nextNumber();
        defined.set(name, number);
      }
      producers[number] = node ?? producers[number];
    };
    for (const node of scope.nodes) {
      for (const output of node.outputs) define(output, node);
      total += node.inputs.length;
    }
    for (const { name } of scope.inputs) define(name);
    for (const name of scope.initializers.keys()) define(name);
    total += scope.outputs.length;
    const [inputs, outputs] = [byName(scope.inputs), byName(scope.outputs)];
    tables.set(scope, { defined, undefined: new Map(), inputs, outputs });
    ranges.set(scope.root, [from, count]);
  }

  // The same name is asked for again and again, from the same scope: what was found last is kept.
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
  /** The number of what this very scope defines. */
  function definedNumber(scope: Scope, name: string): number | undefined {
    if (scope === lastHome && name === lastName) return lastNumber;
    const found = namesOf(scope)?.defined.get(name);
    if (found !== undefined) remember(scope, name, scope, found);
    return found;
  }
  const number = (scope: Scope, name: string): number | undefined =>
    definedNumber(scope, name) ?? namesOf(scope)?.undefined.get(name);

  // The uses of a value are a linked list: the first by the value's number, then each by the one before; 0 is none.
  const readers: (Node | undefined)[] = new Array(total + 1);
  const slots = new Int32Array(total + 1);
  const where = new Int32Array(total + 1);
  const next = new Int32Array(total + 1);
  const first = new Int32Array(count + total); // nothing defines the last ones
  const last = new Int32Array(count + total);
  let use = 0;
  function note(place: number, name: string, slot: number, node?: Node): void {
    const from = scopes[place];
    if (name === '' || from === undefined) return;
    const owner = home(from, name) ?? from;
    let value = number(owner, name);
    if (value === undefined) {
      value = nextNumber();
      namesOf(owner)?.undefined.set(name, value);
    }
    readers[++use] = node;
    slots[use] = slot;
    where[use] = place;
    const before = last[value];
    if (before) next[before] = use;
    else first[value] = use;
    last[value] = use;
  }
  scopes.forEach((scope, place) => {
    for (const node of scope.nodes) {
      node.inputs.forEach((name, slot) => {
        note(place, name, slot, node);
      });
    }
    scope.outputs.forEach(({ name }, slot) => {
      note(place, name, slot);
    });
  });

  // Several questions about one value follow each other.
  const recentNumbers = new Int32Array(RECENT).fill(-1);
  const recentUses: (readonly Use[])[] = [];
  function usesOf(value: number | undefined): readonly Use[] {
    if (value === undefined) return [];
    const place = value % RECENT;
    const before = recentUses[place];
    if (before !== undefined && recentNumbers[place] === value) return before;
    const found: Use[] = [];
    for (let at = first[value] ?? 0; at > 0; at = next[at] ?? 0) {
      const node = readers[at];
      const slot = slots[at] ?? 0;
      const from = scopes[where[at] ?? -1];
      if (from === undefined) continue;
      found.push(node ? { kind: 'input', node, slot, scope: from } : { kind: 'output', scope: from, slot });
    }
    if (found.length <= RECENT) {
      recentNumbers[place] = value;
      recentUses[place] = found;
    }
    return found;
  }

  return {
    home,
    number,
    count,
    range: (root) => ranges.get(root) ?? [0, 0],
    declared: (scope, name) => namesOf(scope)?.inputs.get(name) ?? namesOf(scope)?.outputs.get(name),
    isInput: (scope, name) => namesOf(scope)?.inputs.has(name) ?? false,
    producer: (scope, name) => producers[definedNumber(scope, name) ?? -1],
    uses: (scope, name) => usesOf(number(scope, name)),
  };
}
