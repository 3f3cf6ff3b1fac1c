import type { Node, OnnxDocument, Scope } from './document.js';
import { isBuiltIn } from './signature.js';

/** Index of the calls of model-local functions. */
export interface Calls {
  /** Returns the model-local function that a node calls. */
  callee(node: Node): Scope | undefined;
  /** Returns every node that calls a function, with its scope. */
  callers(callee: Scope): readonly { readonly node: Node; readonly scope: Scope }[];
}

/**
 * Builds the index of a document in a single pass over its nodes. A function with the name of an operator is never called: ONNX
 * leaves the choice to the runtime, and ONNX Runtime takes its operator.
 */
export function indexCalls(document: OnnxDocument): Calls {
  const key = (domain: string, name: string, overload: string) => `${domain}\0${name}\0${overload}`;
  const functions = new Map<string, Scope>();
  const callers = new Map<Scope, { node: Node; scope: Scope }[]>();
  for (const scope of document.functions) {
    const { callee } = scope;
    if (callee === undefined || isBuiltIn(callee.domain, callee.name)) continue;
    functions.set(key(callee.domain, callee.name, callee.overload), scope);
    callers.set(scope, []);
  }
  const callee = (node: Node) =>
    functions.size === 0 ? undefined : functions.get(key(node.domain, node.opType, node.overload));
  for (const scope of document.scopes) {
    for (const node of scope.nodes) {
      const called = callee(node);
      if (called !== undefined) callers.get(called)?.push({ node, scope });
    }
  }
  return { callee, callers: (scope) => callers.get(scope) ?? [] };
}
