import type { Node, OnnxDocument, Scope } from './document.js';
import { type Calls, indexCalls } from './function-calls.js';
import { type GraphIndex, indexGraphs } from './graph-index.js';
import { decidingReferences, type Environment, environmentOf, type TypeRun, typeRun } from './type-run.js';

/** Lookup of a value's element type; undefined for an unknown type or a value that is not a tensor. */
export interface ElementTypes {
  (scope: Scope, name: string): number | undefined;
  /** Returns the types of a function's value over all calls; undefined stands for an unknown type. */
  all(scope: Scope, name: string): readonly (number | undefined)[];
}

/** Maximum depth of function calls; types of deeper calls are unknown. */
const MAX_DEPTH = 500;
/** Maximum number of times that the runs visit a name, on average. Only a hostile model exceeds it. */
const MAX_VISITS = 50;
/** Marks a type that is unknown in a call of a function; 0 marks a type that no call has determined. */
const UNKNOWN = 2 ** 31 - 1;

/** Arguments of a function call: the types and the attributes. */
interface Arguments {
  readonly callee: Scope;
  readonly types: readonly number[];
  readonly environment: Environment;
  readonly key: string;
}

/** Types of a function's inputs and outputs for certain arguments. */
interface Result {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

const NOTHING: Result = { inputs: [], outputs: [] };

/**
 * Infers element types from the declared types (inputs, initializers, value_info). Operator signatures carry types forwards,
 * backwards and into nested graphs. A function is analysed once per combination of argument types; a value whose type
 * differs between calls has no single type. Not split because its steps call each other and share results and budget.
 */
export function inferElementTypes(
  document: OnnxDocument,
  index: GraphIndex = indexGraphs(document),
  calls: Calls = indexCalls(document),
): ElementTypes {
  const insides = new Map<Scope, Scope[]>();
  let names = 1000;
  for (const scope of document.scopes) {
    const list = insides.get(scope.root);
    if (list === undefined) insides.set(scope.root, [scope]);
    else list.push(scope);
    for (const { inputs, outputs } of scope.nodes) names += inputs.length + outputs.length;
  }
  const inside = (root: Scope) => insides.get(root) ?? [];
  const functions = new Map(
    document.functions.map((scope, at) => [scope, { at, refs: decidingReferences(inside(scope), calls) }]),
  );
  const budget = { left: MAX_VISITS * names };
  const results = new Map<string, Result>();
  let depth = 0;

  const argumentsOf = (
    node: Node,
    typeOf: (name: string) => number,
    around: Environment,
  ): Arguments | undefined => {
    const callee = calls.callee(node);
    if (callee === undefined) return undefined;
    const { at, refs = [] } = functions.get(callee) ?? {};
    // Inputs of the function that the call does not give are left out: there may be thousands.
    const types = node.inputs.slice(0, callee.inputs.length).map(typeOf);
    const { environment, key } = environmentOf(node, refs, around);
    return { callee, types, environment, key: `${at} ${types.join()} ${key}` };
  };
  const start = (root: Scope, types: readonly number[], environment: Environment): TypeRun =>
    typeRun({
      root,
      scopes: inside(root),
      index,
      types,
      environment,
      budget,
      call:
        functions.size === 0
          ? undefined
          : (node, typeOf, around) => {
              const given = argumentsOf(node, typeOf, around);
              return given && resultOf(given);
            },
    });

  function resultOf({ callee, types, environment, key }: Arguments): Result {
    const known = results.get(key);
    if (known !== undefined) return known;
    if (depth >= MAX_DEPTH || budget.left <= 0) return NOTHING;
    results.set(key, NOTHING); // for a recursive function
    depth++;
    const { get } = start(callee, types, environment);
    depth--;
    const typeOf = ({ name }: { readonly name: string }) => get(callee, name);
    const result = { inputs: callee.inputs.map(typeOf), outputs: callee.outputs.map(typeOf) };
    results.set(key, result);
    return result;
  }

  // The types of all values: the main graph has a single run, a function a run per combination of arguments.
  const found = new Int32Array(index.count);
  const several = new Map<number, Set<number>>();
  const add = (number: number, type: number) => {
    const known = found[number] ?? 0;
    const types = several.get(number);
    if (types !== undefined) types.add(type);
    else if (known === 0) found[number] = type;
    else if (known !== type) several.set(number, new Set([known, type]));
  };
  const waiting: Arguments[] = [];
  const seen = new Set<string>();
  const collect = ({ get, eachNode }: TypeRun, environment: Environment) => {
    if (functions.size === 0) return;
    eachNode((scope, node) => {
      const next = argumentsOf(node, (name) => get(scope, name), environment);
      if (next === undefined || seen.has(next.key)) return;
      seen.add(next.key);
      waiting.push(next);
    });
  };
  const uncalled = new Set(document.functions);
  const settle = () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      uncalled.delete(next.callee);
      const run = start(next.callee, next.types, next.environment);
      run.each((number, type) => {
        add(number, type || UNKNOWN);
      });
      collect(run, next.environment);
    }
  };
  const main = start(document.graph, [], new Map());
  main.each(add);
  collect(main, new Map());
  settle();
  for (const callee of uncalled) {
    waiting.push({ callee, types: [], environment: new Map(), key: '' });
    settle();
  }

  const shown = (type = 0) => (type > 0 && type !== UNKNOWN ? type : undefined);
  const numberOf = (scope: Scope, name: string) => index.number(index.home(scope, name) ?? scope, name) ?? -1;
  const get = (scope: Scope, name: string) => {
    const number = numberOf(scope, name);
    return several.has(number) ? undefined : shown(found[number]);
  };
  const all = (scope: Scope, name: string) => {
    const number = numberOf(scope, name);
    return [...(several.get(number) ?? [found[number]])].map(shown);
  };
  return Object.assign(get, { all });
}
