import { type Analysis, analyse } from '../../onnx/analysis.js';
import { nodeLabel, type OnnxDocument, type StoredTensor } from '../../onnx/document.js';
import { DataType, typeName } from '../../onnx/types.js';
import {
  type Finding,
  type NodeFacts,
  type ProblemKind,
  problemAt,
  type WebglProblem,
  webglFacts,
} from './facts.js';
import { type OpsetRange, WEBGL_OPERATORS } from './operators.js';
import { RULES } from './rules.js';

/**
 * Lists the reasons why a model cannot run on WebGL, without running it. Symbolic dimensions are not listed:
 * `withShapes` replaces them. Unknown types and shapes are not listed either.
 */
export function webglProblems(
  document: OnnxDocument,
  analysis: Analysis = analyse(document),
): WebglProblem[] {
  return [
    ...modelFindings(document).map((finding) => ({ ...finding, node: null, op: null, opset: null })),
    ...webglFacts(document, analysis).flatMap((facts) =>
      nodeFindings(facts, analysis).map((finding) => problemAt(facts, finding)),
    ),
  ];
}

/** Element types that WebGL reads; it computes all of them as float32. */
const READABLE: readonly number[] = [
  DataType.FLOAT,
  DataType.DOUBLE,
  DataType.INT8,
  DataType.UINT8,
  DataType.INT16,
  DataType.UINT16,
  DataType.INT32,
  DataType.UINT32,
  DataType.INT64,
  DataType.UINT64,
  DataType.BOOL,
  DataType.STRING,
];
/** Types that WebGL reads from a file, but does not accept as inputs. */
const NO_FEEDS: readonly number[] = [DataType.INT64, DataType.UINT64, DataType.STRING];

function modelFindings({ irVersion, graph, external }: OnnxDocument): Finding[] {
  const findings: Finding[] = [];
  const add = (kind: ProblemKind, message: string) => findings.push({ kind, message });
  if (irVersion < 3)
    add('ir-version', `WebGL supports IR version 3 and newer, and the model has ${irVersion}`);
  for (const { name, elemType } of graph.inputs.filter(({ name }) => !graph.initializers.has(name))) {
    if (!READABLE.includes(elemType) || NO_FEEDS.includes(elemType))
      add(
        'element-type',
        `WebGL does not support the element type ${typeName(elemType)} of the input ${name}`,
      );
  }
  for (const { name, elemType } of graph.outputs) {
    if (elemType !== 0 && (!READABLE.includes(elemType) || elemType === DataType.STRING))
      add(
        'element-type',
        `WebGL does not support the element type ${typeName(elemType)} of the output ${name}`,
      );
    if (graph.initializers.has(name) || graph.inputs.some((input) => input.name === name))
      add('outputs', `WebGL does not support an output that no node computes, such as ${name}`);
  }
  for (const tensor of graph.initializers.values()) findings.push(...tensorFindings(tensor, tensor.name));
  for (const { tensor } of external.slice(0, 1))
    add('external-data', `WebGL does not read data files, and one holds the data of ${tensor.name}`);
  return findings;
}

/** Lists the properties of a stored tensor that WebGL cannot read. */
function tensorFindings({ elemType, scalar }: StoredTensor, name: string): Finding[] {
  if (!READABLE.includes(elemType))
    return [
      {
        kind: 'element-type',
        message: `WebGL does not support the element type ${typeName(elemType)} of ${name}`,
      },
    ];
  const [least, most] = elemType === DataType.UINT64 ? [0, 2 ** 32 - 1] : [-(2 ** 31), 2 ** 31 - 1];
  const isWide = elemType === DataType.INT64 || elemType === DataType.UINT64;
  if (!isWide || scalar === undefined || (scalar >= least && scalar <= most)) return [];
  return [{ kind: 'value', message: `WebGL computes with 32-bit integers, and ${name} exceeds them` }];
}

const GRAPHS: readonly number[] = [5, 10]; // AttributeProto.AttributeType
const READ_ATTRIBUTES: readonly number[] = [1, 2, 3, 4, 6, 7, 8, 9];
const SEVERAL_OUTPUTS: readonly string[] = ['Split', 'Dropout'];
const MAX_RANK = 6;
/** Operators that only change a tensor's dimensions. */
const RESHAPES: readonly string[] = ['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Identity', 'Shape'];

function nodeFindings(facts: NodeFacts, { calls }: Analysis): Finding[] {
  const { node, opset } = facts;
  const { opType, domain } = node;
  const one = (kind: ProblemKind, message: string): Finding[] => [{ kind, message }];
  if (node.attributes.some(({ type }) => GRAPHS.includes(type)))
    return one('graph-attribute', `WebGL does not support nested graphs, such as those of ${opType}`);
  if (calls.callee(node) !== undefined)
    return one('function', `WebGL does not support a model's own functions, such as ${domain}.${opType}`);
  const isFused = domain === 'com.microsoft' && opType === 'FusedConv';
  if (domain !== '' && !isFused)
    return one('domain', `WebGL does not support the domain ${domain}, such as ${opType}`);
  const attributes = node.attributes.flatMap(({ name, type, tensor }) => {
    if (!READ_ATTRIBUTES.includes(type))
      return one('attribute', `WebGL cannot read the attribute ${name} of ${opType}`);
    return tensor === undefined ? [] : tensorFindings(tensor, `the ${name} of ${nodeLabel(node)}`);
  });
  if (opType === 'Constant') {
    const isRead = node.attributes.length === 1 && node.attributes[0]?.tensor !== undefined;
    return isRead ? attributes : one('attribute', 'WebGL reads Constant only with the attribute value');
  }
  const ranges = isFused
    ? [[1] as const]
    : Object.hasOwn(WEBGL_OPERATORS, opType)
      ? WEBGL_OPERATORS[opType]
      : [];
  if (ranges === undefined || ranges.length === 0) return one('operator', `WebGL does not support ${opType}`);
  if (!ranges.some(([first, last = opset]) => first <= opset && opset <= last))
    return one(
      'opset',
      `WebGL supports ${opType} in opset ${rangesText(ranges)}, and the model has opset ${opset}`,
    );
  return [...attributes, ...everywhere(facts), ...(RULES[opType]?.(facts) ?? [])];
}

/** Lists the problems of a node that nearly every operator can have. */
function everywhere({ node, dims }: NodeFacts): Finding[] {
  const { opType, inputs, outputs } = node;
  const findings: Finding[] = [];
  const omitted = inputs.indexOf('');
  const mayOmit = opType === 'Resize' && (inputs.length === 3 || inputs.length === 4);
  if (omitted !== -1 && !mayOmit)
    findings.push({
      kind: 'inputs',
      message: `WebGL does not support an omitted input, such as input ${omitted + 1} of this ${opType}`,
    });
  if (outputs.length > 1 && !SEVERAL_OUTPUTS.includes(opType))
    findings.push({ kind: 'outputs', message: `WebGL computes only the first output of ${opType}` });
  const rank = inputs.reduce((most, _, slot) => Math.max(most, dims(slot)?.length ?? 0), 0);
  if (rank > MAX_RANK && !RESHAPES.includes(opType))
    findings.push({
      kind: 'rank',
      message: `WebGL supports at most ${MAX_RANK} dimensions, and an input of ${opType} has ${rank}`,
    });
  return findings;
}

/** Formats opset ranges: `1 to 12 and 14 on` for [1, 12], [14]. */
function rangesText(ranges: readonly OpsetRange[]): string {
  return ranges
    .map(([first, last]) =>
      last === undefined ? `${first} on` : first === last ? `${first}` : `${first} to ${last}`,
    )
    .join(' and ');
}
