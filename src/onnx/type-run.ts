import { CONTAINER_CODES, unwrapType, wrapType } from './container-types.js';
import { type Attribute, attribute, type Node, opsetOf, type Scope } from './document.js';
import type { Calls } from './function-calls.js';
import type { GraphIndex } from './graph-index.js';
import {
  choose,
  decidingAttributes,
  membersOf,
  type Signature,
  signatureOf,
  type Term,
  termAt,
  typeAround,
  typeInside,
} from './signature.js';
import { DataType } from './types.js';

/** Attributes of a function call, by name. */
export type Environment = ReadonlyMap<string, Attribute>;

interface Start {
  readonly root: Scope;
  /** The root and every graph inside it. */
  readonly scopes: readonly Scope[];
  readonly index: GraphIndex;
  /** The types of the root's inputs; empty if the root declares them. */
  readonly types: readonly number[];
  readonly environment: Environment;
  /** Number of names that may still be read. */
  readonly budget: { left: number };
  /**
   * Returns the types of a called function's inputs and outputs, 0 if unknown; undefined for a node that calls no function, and in
   * a document without functions.
   */
  readonly call:
    | ((
        node: Node,
        typeOf: (name: string) => number,
        environment: Environment,
      ) => { readonly inputs: readonly number[]; readonly outputs: readonly number[] } | undefined)
    | undefined;
}

/** Types of the main graph, or of a function for certain arguments, as codes of container-types.ts. */
export interface TypeRun {
  /** Returns the type of a name as seen from a scope; 0 if unknown. */
  get(scope: Scope, name: string): number;
  /** Visits every value's number and type. */
  each(visit: (number: number, type: number) => void): void;
  /** Visits every node with its scope. */
  eachNode(visit: (scope: Scope, node: Node) => void): void;
}

/**
 * Infers the types of a graph or function and its nested graphs. Not split because its steps share the table of types
 * and the nodes to visit again.
 */
export function typeRun({
  root,
  scopes,
  index,
  types: given,
  environment,
  budget,
  call: resultOf,
}: Start): TypeRun {
  const [from, to] = index.range(root);
  const types = new Int32Array(to - from);
  /** Types of undefined names. */
  const others = new Map<number, number>();
  const home = (scope: Scope, name: string): Scope => index.home(scope, name) ?? scope;
  const typeOf = (number: number): number => (number < to ? types[number - from] : others.get(number)) ?? 0;
  /** Returns the number of a name as seen from a scope; -1 for none. */
  const numberOf = (seen: Scope, name: string | undefined): number =>
    name ? (index.number(home(seen, name), name) ?? -1) : -1;
  const get = (scope: Scope, name: string | undefined): number => typeOf(numberOf(scope, name));

  /** Nodes to visit again, because the type of an input or output became known. */
  let affected = new Map<Node, Scope>();
  let isFirst = true; // every node is visited at least twice
  function setNumbered(seen: Scope, name: string | undefined, number: number, type: number): void {
    // A Cast's target may be an invalid number, which could overflow the array's elements.
    if (!name || number < 0 || type === 0 || type > 255 || type !== (type | 0) || typeOf(number) !== 0)
      return;
    if (number < to) types[number - from] = type;
    else others.set(number, type);
    if (!isFirst) affect(home(seen, name), name);
  }
  function set(seen: Scope, name: string | undefined, type: number): void {
    if (type !== 0) setNumbered(seen, name, numberOf(seen, name), type);
  }
  function affect(scope: Scope, name: string): void {
    const producer = index.producer(scope, name);
    if (producer !== undefined) affected.set(producer, scope);
    // Without a producer, the value may be an input of a nested graph.
    else affectOwner(scope);
    for (const use of index.uses(scope, name)) {
      if (use.kind === 'input') affected.set(use.node, use.scope);
      else affectOwner(use.scope);
    }
  }
  function affectOwner({ owner, parent }: Scope): void {
    if (owner !== undefined && parent !== undefined) affected.set(owner, parent);
  }

  function visit(scope: Scope, node: Node): void {
    const { domain, opType, inputs, outputs } = node;
    budget.left -= inputs.length + outputs.length;
    const called = resultOf?.(node, (name) => get(scope, name), environment);
    if (called !== undefined) {
      inputs.forEach((name, at) => {
        set(scope, name, called.inputs[at] ?? 0);
      });
      called.outputs.forEach((type, at) => {
        set(scope, outputs[at], type);
      });
      return;
    }
    if (domain === '' && node.attributes.length > 0) {
      if (opType === 'If') branches(scope, node);
      else if (opType === 'Loop' || opType === 'Scan') loop(scope, node);
      else if (opType === 'SequenceMap') sequenceMap(scope, node);
    }
    const signature = signatureIn(scope, node);
    if (signature !== undefined) tie(scope, node, signature);
  }

  /** The current node's inputs and outputs by number, their terms, and the types of the variables. */
  const numbers: number[] = [];
  const terms: (Term | undefined)[] = [];
  const bound: number[] = [];
  function tie(scope: Scope, node: Node, signature: Signature): void {
    const { inputs, outputs } = node;
    const count = inputs.length + outputs.length;
    const members = signature.inputs.groups > 0 ? membersOf(signature, inputs.length) : 0;
    const nameAt = (at: number) => (at < inputs.length ? inputs[at] : outputs[at - inputs.length]);
    let isOpen = false;
    for (let at = 0; at < count; at++) {
      const number =
        at < inputs.length ? index.input(scope, node, at) : index.output(scope, node, at - inputs.length);
      numbers[at] = number;
      isOpen ||= number >= 0 && typeOf(number) === 0;
    }
    if (!isOpen) return; // as most nodes are in the second pass
    bound.length = 0;
    for (let at = 0; at < count; at++) {
      const isInput = at < inputs.length;
      let term = isInput
        ? termAt(signature.inputs, at, members)
        : termAt(signature.outputs, at - inputs.length, members);
      if (term?.choices !== undefined) term = chosen(term, node, signature, members);
      terms[at] = term;
      if (term === undefined) continue;
      const number = numbers[at] ?? -1;
      if (term.variable >= 0 && !bound[term.variable])
        bound[term.variable] = typeInside(term.around, typeOf(number));
    }
    for (let at = 0; at < count; at++) {
      const term = terms[at];
      if (term === undefined) continue;
      const type = typeAround(term.around, term.type || (bound[term.variable] ?? 0));
      setNumbered(scope, nameAt(at), numbers[at] ?? -1, type);
    }
  }
  function chosen(term: Term, node: Node, signature: Signature, members: number): Term | undefined {
    const find = (name: string): Attribute | null | undefined => {
      const found = attribute(node, name);
      return found?.ref === undefined ? found : (environment.get(found.ref) ?? null);
    };
    const has = (variable: number) =>
      node.inputs.some(
        (name, at) => name !== '' && termAt(signature.inputs, at, members)?.variable === variable,
      );
    return choose(term, find, has);
  }

  /** Equates the types of two names in two scopes. */
  function cross(outer: Scope, name: string | undefined, inner: Scope, innerName: string | undefined): void {
    set(inner, innerName, get(outer, name));
    set(outer, name, get(inner, innerName));
  }

  function branches(scope: Scope, node: Node): void {
    for (const branch of bodies(node)) {
      branch.outputs.forEach((output, at) => {
        cross(scope, node.outputs[at], branch, output.name);
      });
    }
  }

  function loop(scope: Scope, node: Node): void {
    // A Loop's body also takes the iteration number and the condition, and returns the condition. Before opset 9, the
    // first input of a Scan holds the sequence lengths.
    const isLoop = node.opType === 'Loop';
    const first = isLoop ? 2 : opsetOf(scope) < 9 ? 1 : 0;
    const [taken, made] = isLoop ? [2, 1] : [0, 0];
    const inputs = node.inputs.slice(first);
    const states = isLoop ? inputs.length : inputs.length - (attribute(node, 'num_scan_inputs')?.i ?? 0);
    for (const body of bodies(node)) {
      if (isLoop) {
        set(body, body.inputs[0]?.name, DataType.INT64);
        set(body, body.inputs[1]?.name, DataType.BOOL);
      }
      inputs.forEach((name, at) => {
        cross(scope, name, body, body.inputs[at + taken]?.name);
      });
      node.outputs.forEach((name, at) => {
        cross(scope, name, body, body.outputs[at + made]?.name);
        if (at < states) cross(scope, name, body, body.inputs[at + taken]?.name);
      });
    }
  }

  /** Infers types of a SequenceMap. Its body takes and returns elements of the sequences. */
  function sequenceMap(scope: Scope, node: Node): void {
    for (const body of bodies(node)) {
      node.inputs.forEach((name, at) => {
        const type = get(scope, name);
        set(body, body.inputs[at]?.name, unwrapType(CONTAINER_CODES.sequence, type) || (at > 0 ? type : 0));
      });
      node.outputs.forEach((name, at) => {
        const inside = body.outputs[at]?.name;
        set(scope, name, wrapType(CONTAINER_CODES.sequence, get(body, inside)));
        set(body, inside, unwrapType(CONTAINER_CODES.sequence, get(scope, name)));
      });
    }
  }

  for (const scope of scopes) {
    const declare = ({ name, elemType, containerType = 0 }: Declared) =>
      set(scope, name, elemType || containerType);
    for (const tensor of scope.initializers.values()) declare(tensor);
    for (const value of scope.inputs) declare(value);
    for (const value of scope.outputs) declare(value);
    for (const value of scope.values.values()) declare(value);
  }
  root.inputs.forEach(({ name }, at) => {
    set(root, name, given[at] ?? 0);
  });
  // Visit nodes forwards, which infers nearly all types, then backwards, then the affected nodes.
  for (const scope of scopes) for (const node of scope.nodes) visit(scope, node);
  isFirst = false;
  for (const scope of scopes.toReversed()) {
    for (let at = scope.nodes.length; at-- > 0; ) {
      const node = scope.nodes[at];
      if (node !== undefined) visit(scope, node);
    }
  }
  while (affected.size > 0 && budget.left > 0) {
    const now = affected;
    affected = new Map();
    for (const [node, scope] of now) visit(scope, node);
  }

  return {
    get,
    each(visit) {
      types.forEach((type, at) => {
        visit(from + at, type);
      });
      for (const [number, type] of others) visit(number, type);
    },
    eachNode(visit) {
      for (const scope of scopes) for (const node of scope.nodes) visit(scope, node);
    },
  };
}

interface Declared {
  readonly name: string;
  readonly elemType: number;
  readonly containerType?: number;
}

/** Returns the signature of a node's operator in the opset that its scope imports; undefined without a schema. */
const signatureIn = (scope: Scope, { domain, opType }: Node): Signature | undefined =>
  signatureOf(domain, opType, domain === '' ? opsetOf(scope) : (scope.opsets.get(domain) ?? 1));

function bodies(node: Node): Scope[] {
  return node.attributes.flatMap((attribute) => attribute.graphs ?? []);
}

/** Returns the attributes of a call that decide types in the function, with a key that identifies them. */
export function environmentOf(
  node: Node,
  references: readonly string[],
  around: Environment,
): { environment: Environment; key: string } {
  const environment = new Map<string, Attribute>();
  const key: unknown[] = [];
  for (const name of references) {
    const found = attribute(node, name);
    const value = found?.ref === undefined ? found : around.get(found.ref);
    if (value !== undefined) environment.set(name, value);
    key.push(value && [value.i, value.s, value.tensor?.elemType, value.type, value.strings?.length]);
  }
  return { environment, key: JSON.stringify(key) };
}

/** Returns the attributes of a function that decide types in its nodes, or that it passes to other functions. */
export function decidingReferences(scopes: readonly Scope[], calls: Calls): string[] {
  const names = new Set<string>();
  for (const scope of scopes) {
    for (const node of scope.nodes) {
      const references = node.attributes.filter(({ ref }) => ref !== undefined);
      if (references.length === 0) continue;
      const signature = signatureIn(scope, node);
      const deciding = signature === undefined ? [] : decidingAttributes(signature);
      const isCall = calls.callee(node) !== undefined;
      for (const { name, ref } of references)
        if (ref !== undefined && (isCall || deciding.includes(name))) names.add(ref);
    }
  }
  return [...names];
}
