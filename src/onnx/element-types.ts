import type { Node, OnnxDocument, Scope } from './document.js';
import { type Calls, indexCalls } from './function-calls.js';
import { type GraphIndex, indexGraphs } from './graph-index.js';
import { decidingReferences, type Environment, environmentOf, type Run, typeRun } from './type-run.js';

/** The element type of a value as seen from a scope; undefined where the model does not tell, or it is no tensor. */
export interface ElementTypes {
  (scope: Scope, name: string): number | undefined;
  /** Every type that a value of a function has in some call, undefined among them where one is not known. */
  all(scope: Scope, name: string): readonly (number | undefined)[];
}

/** What a deeper chain of functions that call functions gives is taken for unknown. */
const DEEPEST = 500;
/** Each name may be read so often, in all runs together: what takes more, nobody exports. */
const TIMES_READ = 50;
/** Stands for a type that is not known in some call of a function; 0 is one that no call has told of. */
const UNKNOWN = 2 ** 31 - 1;

/** How a function is called: the types of its arguments, and its attributes. */
interface Arguments {
  readonly callee: Scope;
  readonly types: readonly number[];
  readonly environment: Environment;
  readonly key: string;
}

/** The types of a function's inputs and outputs in one kind of call. */
interface Result {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

const NOTHING: Result = { inputs: [], outputs: [] };

/**
 * Works out element types: what the model declares (inputs, initializers, value_info), carried along the operators
 * whose types are tied, forwards and backwards, and into nested graphs. A function is gone through once for each
 * combination of types that it is called with; what differs between calls has no type of its own.
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
  const budget = { left: TIMES_READ * names };
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
    // Those that the call gives: a function may have thousands more, and be called as often.
    const types = node.inputs.slice(0, callee.inputs.length).map(typeOf);
    const { environment, key } = environmentOf(node, refs, around);
    return { callee, types, environment, key: `${at} ${types.join()} ${key}` };
  };
  const start = (root: Scope, types: readonly number[], environment: Environment): Run =>
    typeRun({
      ...{ root, scopes: inside(root), index, types, environment, budget },
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
    if (depth >= DEEPEST || budget.left <= 0) return NOTHING;
    results.set(key, NOTHING); // for a function that calls itself
    depth++;
    const { get } = start(callee, types, environment);
    depth--;
    const typeOf = ({ name }: { readonly name: string }) => get(callee, name);
    const result = { inputs: callee.inputs.map(typeOf), outputs: callee.outputs.map(typeOf) };
    results.set(key, result);
    return result;
  }

  // The types of all values: of the main graph from its one run, of a function from a run for each kind of call.
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
  const collect = ({ get, eachNode }: Run, environment: Environment) => {
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
