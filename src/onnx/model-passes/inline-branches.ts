// Replaces If nodes with a constant condition by the nodes of the branch that runs.
import {
  bodiesOf,
  type GraphProto,
  identityNode,
  isOperator,
  type ModelProto,
  type NodeProto,
} from './model-proto.js';

/** A branch that became part of the main graph. */
export interface InlinedBranch {
  /** First output of the If node. */
  readonly output: string;
  readonly branch: 'then_branch' | 'else_branch';
  /** Names of the branch's initializers and constants, which stay the same. */
  readonly constants: readonly string[];
}

/**
 * Inlines the branches of the main graph's If nodes whose condition is a constant, at any depth. `known` has the values of further
 * conditions, by their names.
 */
export function inlineBranches(
  model: ModelProto,
  known: ReadonlyMap<string, boolean> = new Map(),
): InlinedBranch[] {
  const { graph } = model;
  if (!graph) return [];
  const [values, branches]: [Map<string, boolean>, InlinedBranch[]] = [constantsIn(graph), []];
  // Before IR 4 all initializers are inputs as well, and constants nevertheless.
  if ((model.irVersion ?? 0) >= 4) for (const { name } of graph.input ?? []) values.delete(name ?? '');
  for (const [name, value] of known) values.set(name, value);
  const taken = new Set<string>();
  const take = (node: NodeProto) => {
    for (const name of node.output ?? []) taken.add(name);
    return node;
  };
  for (const { name } of [...(graph.input ?? []), ...(graph.initializer ?? [])]) taken.add(name ?? '');
  for (const node of graph.node ?? []) take(node);
  const nodes: NodeProto[] = [];
  const open = (graph.node ?? []).toReversed();
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const condition = conditionOf(node, values);
    const branch = condition === undefined ? undefined : branchOf(node, condition);
    if (branch === undefined) {
      nodes.push(node);
      noteConstant(node, values);
      continue;
    }
    // A branch whose names are in use stays where it is.
    const names = definedNames(branch);
    if (names.some((name) => taken.has(name)) || branch.sparseInitializer?.length) {
      nodes.push(node);
      continue;
    }
    for (const name of names) taken.add(name);
    graph.initializer = [...(graph.initializer ?? []), ...(branch.initializer ?? [])];
    for (const [name, value] of constantsIn(branch)) values.set(name, value);
    const copies = (branch.output ?? []).flatMap(({ name }, slot) => {
      const to = node?.output?.[slot] ?? '';
      return to === '' ? [] : [identityNode(name ?? '', to)];
    });
    open.push(...[...(branch.node ?? []), ...copies].toReversed());
    branches.push({
      output: node.output?.[0] ?? '',
      branch: condition ? 'then_branch' : 'else_branch',
      constants: constantNames(branch),
    });
  }
  graph.node = nodes;
  return branches;
}

function conditionOf(node: NodeProto, values: ReadonlyMap<string, boolean>): boolean | undefined {
  return isOperator(node, 'If') ? values.get(node.input?.[0] ?? '') : undefined;
}

function branchOf(node: NodeProto, condition: boolean): GraphProto | undefined {
  const name = condition ? 'then_branch' : 'else_branch';
  return node.attribute?.find((one) => one.name === name)?.g ?? undefined;
}

/** Returns the names that a graph defines, also in the graphs inside it. */
function definedNames(graph: GraphProto): string[] {
  const own = [
    ...(graph.initializer ?? []).map(({ name }) => name ?? ''),
    ...(graph.node ?? []).flatMap(({ output }) => output ?? []),
  ].filter((name) => name !== '');
  return [...own, ...(graph.node ?? []).flatMap((node) => bodiesOf(node).flatMap(definedNames))];
}

function constantNames(graph: GraphProto): string[] {
  const nodes = (graph.node ?? []).filter((node) => isOperator(node, 'Constant'));
  return [
    ...(graph.initializer ?? []).map(({ name }) => name ?? ''),
    ...nodes.flatMap(({ output }) => output ?? []),
  ];
}

/** Returns the values of a graph's boolean initializers. */
function constantsIn({ initializer }: GraphProto): Map<string, boolean> {
  const values = new Map<string, boolean>();
  for (const tensor of initializer ?? []) {
    const value = flagOf(tensor);
    if (value !== undefined) values.set(tensor.name ?? '', value);
  }
  return values;
}

/** Notes the value of a boolean Constant, or of its copy or negation. */
function noteConstant(node: NodeProto, values: Map<string, boolean>): void {
  const [output = ''] = node.output ?? [];
  const given = values.get(node.input?.[0] ?? '');
  if (isOperator(node, 'Constant')) {
    const value = flagOf(node.attribute?.find(({ name }) => name === 'value')?.t ?? undefined);
    if (value !== undefined) values.set(output, value);
  } else if (given !== undefined && isOperator(node, 'Identity')) values.set(output, given);
  else if (given !== undefined && isOperator(node, 'Not')) values.set(output, !given);
}

const BOOL = 9;

function flagOf(
  tensor:
    | {
        dataType?: number | null;
        dims?: number[] | null;
        rawData?: Uint8Array | null;
        int32Data?: number[] | null;
      }
    | undefined,
): boolean | undefined {
  if (tensor?.dataType !== BOOL || (tensor.dims ?? []).some((dim) => dim !== 1)) return undefined;
  const value = tensor.rawData?.[0] ?? tensor.int32Data?.[0];
  return value === undefined ? undefined : value !== 0;
}
