// Replaces calls of model-local functions by the functions' nodes.
import type { onnx } from '../../../proto/onnx.js';
import { OnnxMishError } from '../../base/error.js';
import { isBuiltIn } from '../signature.js';
import {
  type AttributeProto,
  type GraphProto,
  identityNode,
  importedOpset,
  isOnnxDomain,
  isOperator,
  type ModelProto,
  type NodeProto,
  nodesOf,
} from './model-proto.js';

type FunctionProto = onnx.FunctionProto.$Properties;

/** A constant of a function that became a constant of the main graph. All calls of the function share it. */
export interface HoistedConstant {
  readonly name: string;
  /** Name of the constant in the function. */
  readonly inner: string;
  readonly callee: { readonly domain: string; readonly name: string; readonly overload: string };
}

export interface InlinedFunctions {
  readonly constants: readonly HoistedConstant[];
  /** Names of the functions whose calls were replaced. */
  readonly inlined: readonly string[];
  /** Names of called functions of another opset, which stay. */
  readonly kept: readonly string[];
}

/** Maximum number of inlined nodes: a base, plus a multiple of the model's nodes. Only a hostile model exceeds it. */
const MAX_INLINED_NODES = { base: 20_000, perNode: 10 };
/** Maximum depth of calls. */
const MAX_DEPTH = 100;
const PREFIX = 'onnx-mish/inlined/';

/** Returns the name of a domain, '' for that of ONNX. */
const operatorDomain = (domain?: string | null) => (isOnnxDomain(domain) ? '' : (domain ?? ''));

const keyOf = (domain?: string | null, name?: string | null, overload?: string | null) =>
  `${operatorDomain(domain)}\0${name ?? ''}\0${overload ?? ''}`;

/**
 * Inlines the functions that the main graph calls, at any depth, if they import the same opsets as the model. Throws `malformed` for
 * functions that call themselves or expand to too many nodes.
 */
export function inlineFunctions(model: ModelProto): InlinedFunctions {
  const { graph, functions } = model;
  // ONNX Runtime takes its operator before a function of the same name.
  const callable = functions.filter(({ domain, name }) => !isBuiltIn(operatorDomain(domain), name ?? ''));
  const table = new Map(callable.map((one) => [keyOf(one.domain, one.name, one.overload), one]));
  const constants = new Map<string, HoistedConstant>();
  const [inlined, kept] = [new Set<string>(), new Set<string>()];
  const nodes: NodeProto[] = [];
  const sharedBy = new Map(functions.map((one, at) => [one, sharedConstants(one, at)]));
  let calls = 0;
  let left = MAX_INLINED_NODES.base + MAX_INLINED_NODES.perNode * nodesOf(model).length;
  const expand = (node: NodeProto, depth: number) => {
    const callee = table.get(keyOf(node.domain, node.opType, node.overload));
    const isExact = callee !== undefined && hasOpsetsOf(model, callee);
    if (callee !== undefined) (isExact ? inlined : kept).add(callee.name ?? '');
    if (!isExact) {
      nodes.push(node);
      return;
    }
    if (depth > MAX_DEPTH) throw tooMuch('call each other too deeply');
    const shared = sharedBy.get(callee) ?? new Map<string, HoistedConstant>();
    const { rename, copies } = renaming(node, callee, shared, `${PREFIX}${calls++}/`);
    const attributes = attributesOf(node, callee);
    for (const inner of callee.node ?? []) {
      const constant = shared.get(inner.output?.[0] ?? '');
      if (constant !== undefined) {
        if (constants.has(constant.name)) continue;
        constants.set(constant.name, constant);
        nodes.push({ ...inner, output: [constant.name] });
        continue;
      }
      if (left-- === 0) throw tooMuch('expand to too many nodes');
      expand(instance(inner, rename, attributes), depth + 1);
    }
    for (const [from, to] of copies) nodes.push(identityNode(rename.value(from), to));
  };
  for (const node of graph?.node ?? []) expand(node, 0);
  if (graph) graph.node = nodes;
  const called = new Set(nodesOf(model).map((one) => keyOf(one.domain, one.opType, one.overload)));
  model.functions = functions.filter((one) => called.has(keyOf(one.domain, one.name, one.overload)));
  return { constants: [...constants.values()], inlined: [...inlined], kept: [...kept] };
}

const tooMuch = (what: string) =>
  new OnnxMishError('malformed', `the model's functions ${what}`, {
    fix: 'Check the source of the file: no exporter writes such functions',
  });

/** Returns whether a function imports the model's opsets. Adds the domains that only the function imports. */
function hasOpsetsOf(model: ModelProto, { opsetImport }: FunctionProto): boolean {
  for (const { domain, version } of opsetImport ?? []) {
    const imported = importedOpset(model.opsetImport, domain ?? '');
    if (imported === undefined) model.opsetImport.push({ domain: domain ?? '', version: version ?? 1 });
    else if (imported !== version) return false;
  }
  return true;
}

/** The names that the values and the nodes of a function get in a call. */
interface Renaming {
  value(name: string): string;
  /** Node names and value names are separate: a node gets the prefix, also where its name is that of an input or an output. */
  node(name: string): string;
}

/** Maps the names of a function to those of a call. `copies` lists outputs that share a value with an input or constant. */
function renaming(
  call: NodeProto,
  callee: FunctionProto,
  shared: ReadonlyMap<string, HoistedConstant>,
  prefix: string,
): { readonly rename: Renaming; readonly copies: readonly [from: string, to: string][] } {
  const names = new Map<string, string>([['', '']]);
  for (const [slot, name] of (callee.input ?? []).entries()) names.set(name, call.input?.[slot] ?? '');
  for (const [inner, { name }] of shared) names.set(inner, name);
  const copies: [from: string, to: string][] = [];
  for (const [slot, name] of (callee.output ?? []).entries()) {
    const actual = call.output?.[slot] ?? '';
    if (actual === '') continue;
    if (names.has(name)) copies.push([name, actual]);
    else names.set(name, actual);
  }
  const rename: Renaming = {
    value: (name) => names.get(name) ?? prefix + name,
    node: (name) => (name === '' ? '' : prefix + name),
  };
  return { rename, copies };
}

/** Returns a function's constants that do not depend on the call, by their names in the function. `at` is its place in the model. */
function sharedConstants(callee: FunctionProto, at: number): ReadonlyMap<string, HoistedConstant> {
  const [domain, name, overload] = [callee.domain ?? '', callee.name ?? '', callee.overload ?? ''];
  const label = [domain, name, overload].filter((part) => part !== '').join('.');
  const constants = new Map<string, HoistedConstant>();
  for (const node of callee.node ?? []) {
    if (!isOperator(node, 'Constant') || node.attribute?.some(({ refAttrName }) => refAttrName)) continue;
    const inner = node.output?.[0] ?? '';
    constants.set(inner, {
      name: `${PREFIX}${at}.${label}/${inner}`,
      inner,
      callee: { domain, name, overload },
    });
  }
  return constants;
}

/** Returns the attributes of a call by name, with the function's defaults. */
function attributesOf(call: NodeProto, callee: FunctionProto): ReadonlyMap<string, AttributeProto> {
  const all = [...(callee.attributeProto ?? []), ...(call.attribute ?? [])];
  return new Map(all.map((one) => [one.name ?? '', one]));
}

/** Copies a node of a function for a call. */
function instance(
  node: NodeProto,
  rename: Renaming,
  attributes: ReadonlyMap<string, AttributeProto>,
): NodeProto {
  const attribute = (node.attribute ?? []).flatMap((one) => {
    if (one.refAttrName) {
      const given = attributes.get(one.refAttrName);
      return given === undefined ? [] : [{ ...given, name: one.name ?? '' }];
    }
    if (!one.g && !one.graphs?.length) return [one];
    const graphs = one.graphs?.map((body) => renamedBody(body, rename, attributes)) ?? [];
    return [{ ...one, ...(one.g ? { g: renamedBody(one.g, rename, attributes) } : {}), graphs }];
  });
  return {
    ...node,
    name: rename.node(node.name ?? ''),
    input: (node.input ?? []).map(rename.value),
    output: (node.output ?? []).map(rename.value),
    attribute,
  };
}

/** Renames a nested graph. All its names are a function's, which sees no names from outside. */
function renamedBody(
  body: GraphProto,
  rename: Renaming,
  attributes: ReadonlyMap<string, AttributeProto>,
): GraphProto {
  const named = <T extends { name?: string | null }>(all: readonly T[] | null | undefined) =>
    (all ?? []).map((one) => ({ ...one, name: rename.value(one.name ?? '') }));
  return {
    ...body,
    node: (body.node ?? []).map((one) => instance(one, rename, attributes)),
    input: named(body.input),
    output: named(body.output),
    initializer: named(body.initializer),
    valueInfo: [],
  };
}
