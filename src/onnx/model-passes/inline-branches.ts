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

export interface InlineOptions {
  /** Values of further conditions, by their names. */
  readonly known?: ReadonlyMap<string, boolean>;
  /** Whether to inline both branches where the condition is not known, so that a Where chooses among their outputs. */
  readonly both?: boolean;
}

/** Inlines the branches of the main graph's If nodes whose condition is a constant, at any depth. */
export function inlineBranches(
  model: ModelProto,
  { known = new Map(), both = false }: InlineOptions = {},
): InlinedBranch[] {
  const { graph } = model;
  if (!graph) return [];
  const [values, branches]: [Map<string, boolean>, InlinedBranch[]] = [flagsIn(graph), []];
  // Before IR 4 all initializers are inputs as well, and constants nevertheless.
  if ((model.irVersion ?? 0) >= 4) for (const { name } of graph.input ?? []) values.delete(name ?? '');
  for (const [name, value] of known) values.set(name, value);
  const taken = new Set<string>();
  const labels = new Set((graph.node ?? []).map(({ name }) => name));
  /** Returns a branch's node without its name if a node of the main graph has it: ONNX Runtime refuses two nodes of one name. */
  const relabelled = (node: NodeProto): NodeProto => {
    const isTaken = labels.has(node.name);
    labels.add(node.name);
    return isTaken ? { ...node, name: '' } : node;
  };
  const take = (node: NodeProto) => {
    for (const name of node.output ?? []) taken.add(name);
    return node;
  };
  for (const { name } of [...(graph.input ?? []), ...(graph.initializer ?? [])]) taken.add(name ?? '');
  for (const node of graph.node ?? []) take(node);
  const nodes: NodeProto[] = [];
  const open = (graph.node ?? []).toReversed();
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const chosen = chosenBranches(node, values, both);
    const names = chosen.flatMap(({ graph }) => definedNames(graph));
    // A branch whose names are in use stays where it is.
    const isFree = new Set(names).size === names.length && !names.some((name) => taken.has(name));
    if (chosen.length === 0 || !isFree || chosen.some(({ graph }) => graph.sparseInitializer?.length)) {
      nodes.push(node);
      noteConstant(node, values);
      continue;
    }
    for (const name of names) taken.add(name);
    for (const branch of chosen) {
      graph.initializer = [...(graph.initializer ?? []), ...(branch.graph.initializer ?? [])];
      for (const [name, value] of flagsIn(branch.graph)) values.set(name, value);
      branches.push({
        output: node.output?.[0] ?? '',
        branch: branch.name,
        constants: constantNames(branch.graph),
      });
    }
    const inlined = [
      ...chosen.flatMap(({ graph }) => (graph.node ?? []).map(relabelled)),
      ...resultsOf(node, chosen),
    ];
    for (const one of inlined.toReversed()) open.push(one);
  }
  graph.node = nodes;
  return branches;
}

interface Branch {
  readonly name: InlinedBranch['branch'];
  readonly graph: GraphProto;
}

/** Returns the branch of an If that runs; if that is not known, both or none. */
function chosenBranches(node: NodeProto, values: ReadonlyMap<string, boolean>, both: boolean): Branch[] {
  if (!isOperator(node, 'If')) return [];
  const condition = values.get(node.input?.[0] ?? '');
  const branches = (['then_branch', 'else_branch'] as const).flatMap((name) => {
    const graph = node.attribute?.find((one) => one.name === name)?.g;
    return graph ? [{ name, graph }] : [];
  });
  if (condition === undefined) return both && branches.length === 2 ? branches : [];
  return branches.filter(({ name }) => name === (condition ? 'then_branch' : 'else_branch'));
}

/** Returns the nodes that give an If's outputs from those of the inlined branches. */
function resultsOf({ input, output }: NodeProto, branches: readonly Branch[]): NodeProto[] {
  return (output ?? []).flatMap((to, slot) => {
    const [name = '', other] = branches.map(({ graph }) => graph.output?.[slot]?.name ?? '');
    if (to === '') return [];
    if (other === undefined) return [identityNode(name, to)];
    return [{ opType: 'Where', input: [input?.[0] ?? '', name, other], output: [to] }];
  });
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
function flagsIn({ initializer }: GraphProto): Map<string, boolean> {
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
