import { type Analysis, analyse } from '../../onnx/analysis.js';
import { attribute, type Node, nodeLabel, type OnnxDocument, type Scope } from '../../onnx/document.js';
import { DataType, floatType } from '../../onnx/types.js';
import { type Dims, type NodeFacts, type Problem, problemAt, webglFacts } from './facts.js';

/**
 * What WebGL of onnxruntime-web 1.30.0 may compute wrong in a model without a word, as far as it can be told
 * beforehand; `test/providers/webgl/mistakes.md` names the places in its code. Where dimensions are not known, nodes
 * that may have the same ones are taken to have them.
 */
export function webglMistakes(document: OnnxDocument, analysis: Analysis = analyse(document)): Problem[] {
  const model = load(document, analysis);
  return [
    ...fusedOutputs(model),
    ...movedOutputs(model),
    ...sharedPrograms(model),
    ...model.all.flatMap((facts) => {
      const message = facts.node.domain === '' ? MISTAKES[facts.node.opType]?.(facts) : undefined;
      return message === undefined ? [] : [mistake(facts, message)];
    }),
  ];
}

/** A model as WebGL has it once it is loaded. */
interface Loaded {
  readonly graph: Scope;
  readonly all: readonly NodeFacts[];
  /** The nodes that read a value once those that are taken out are gone; one that reads it twice comes twice. */
  readers(name: string): Node[];
  /** The activation that a Conv takes in: its only reader. */
  readonly fused: ReadonlyMap<Node, NodeFacts>;
}

const mistake = (facts: NodeFacts, message: string) => problemAt(facts, { kind: 'mistake', message });

/** Operators that are taken out of the graph when it is loaded. */
const REMOVED: readonly string[] = ['Identity', 'Dropout'];
const isRemoved = ({ opType }: Node) => REMOVED.includes(opType);

function load(document: OnnxDocument, analysis: Analysis): Loaded {
  const { graph } = document;
  const all = webglFacts(document, analysis);
  const factsOf = new Map(all.map((facts) => [facts.node, facts]));

  function readers(name: string): Node[] {
    const found: Node[] = [];
    const names = [name];
    const seen = new Set(names); // a broken model may go round in circles
    for (let next = names.pop(); next !== undefined; next = names.pop()) {
      for (const use of analysis.index.uses(graph, next)) {
        if (use.kind === 'output') continue;
        const [output] = use.node.outputs;
        if (!isRemoved(use.node) || output === undefined) found.push(use.node);
        else if (!seen.has(output)) {
          seen.add(output);
          names.push(output);
        }
      }
    }
    return found;
  }

  const fused = new Map<Node, NodeFacts>();
  for (const { node } of all) {
    if (node.opType !== 'Conv') continue;
    const [reader, ...others] = readers(node.outputs[0] ?? '');
    const facts = reader === undefined ? undefined : factsOf.get(reader);
    if (facts !== undefined && others.length === 0 && canFuse(facts)) fused.set(node, facts);
  }
  return { graph, all, readers, fused };
}

function canFuse({ node, constant }: NodeFacts): boolean {
  if (node.opType !== 'Clip') return node.opType === 'Relu' || node.opType === 'Sigmoid';
  return node.inputs.length === 1 || (constant(1) !== undefined && constant(2) !== undefined);
}

/** An output of the model that is a Conv's becomes that of the activation which it takes in. */
function fusedOutputs({ graph, all, fused }: Loaded): Problem[] {
  return all.flatMap((facts) => {
    const { node } = facts;
    const into = fused.get(node);
    if (into === undefined || !graph.outputs.some(({ name }) => name === node.outputs[0])) return [];
    const message = `WebGL gives the output ${node.outputs[0]} with the ${into.node.opType} applied that reads it`;
    return [mistake(facts, message)];
  });
}

/**
 * When the output of a node that is taken out is the model's, the outputs after it change their places among the
 * values, and those that nodes read are looked for in the old place.
 */
function movedOutputs({ graph, all, readers, fused }: Loaded): Problem[] {
  const activations = [...fused.values()].map(({ node }) => node);
  const gone = new Set(
    [...graph.nodes.filter(isRemoved), ...activations].map(({ outputs: [output] }) => output),
  );
  const first = graph.outputs.findIndex(({ name }) => gone.has(name));
  if (first === -1) return [];
  const moved = new Set(graph.outputs.slice(first).map(({ name }) => name));
  return all.flatMap((facts) =>
    facts.node.outputs
      .filter((name) => moved.has(name) && readers(name).length > 0)
      .map((name) =>
        mistake(facts, `WebGL may give something else for the output ${name}, which other nodes read`),
      ),
  );
}

/** What distinguishes programs that WebGL takes for one, and which nodes can have the same one. */
interface Program {
  readonly facts: NodeFacts;
  /** Nodes with different ones never share a program. */
  readonly key: string;
  /** Dimensions that have to agree, where they are known. */
  readonly dims: readonly (Dims | undefined)[];
  /** What the program should depend on, and does not. */
  readonly forgotten: string;
  readonly what: string;
}

const FIX = '; `retarget --fix-relu` keeps it from that';

function sharedPrograms(model: Loaded): Problem[] {
  const groups = new Map<string, Program[]>();
  for (const facts of model.all) {
    const program = programOf(model, facts);
    if (program === undefined) continue;
    const group = groups.get(program.key);
    if (group === undefined) groups.set(program.key, [program]);
    else group.push(program);
  }
  return [...groups.values()].flatMap((group) =>
    group.flatMap((program, place) => {
      const before = group.slice(0, place).find((other) => canMeet(other, program));
      if (before === undefined) return [];
      const name = nodeLabel(before.facts.node);
      const remedy = [before, program].some(({ forgotten }) => forgotten === 'Relu') ? FIX : '';
      const message = `WebGL may run it as ${name}, though they differ in ${program.what}${remedy}`;
      return [mistake(program.facts, message)];
    }),
  );
}

function canMeet(a: Program, b: Program): boolean {
  return a.forgotten !== b.forgotten && a.dims.every((dims, place) => mayEqual(dims, b.dims[place]));
}

function mayEqual(a: Dims | undefined, b: Dims | undefined): boolean {
  if (a === undefined || b === undefined) return true;
  const differs = (size: Dims[number], other: Dims[number] | undefined) =>
    typeof size === 'number' && typeof other === 'number' && size !== other;
  return a.length === b.length && !a.some((size, axis) => differs(size, b[axis]));
}

function programOf({ graph, fused }: Loaded, facts: NodeFacts): Program | undefined {
  const { node, dims, int } = facts;
  const float = (name: string) => attribute(node, name)?.f ?? 1;
  switch (node.domain === '' ? node.opType : '') {
    case 'Conv': {
      const weights = dims(1);
      if ((int('group') ?? 1) !== 1 || weights?.length !== 4) return undefined; // others have programs of their own
      const into = fused.get(node);
      // Four elements of the weights go into one of the texture, and only its size counts.
      const sizes = weights.slice(1).map(Number);
      const packed = Math.ceil(sizes.reduce((product, size) => product * size, 1) / 4);
      const [batch, , ...image] = outputDims(graph, node) ?? [];
      return {
        facts,
        key: `Conv ${weights[0]} ${packed} ${facts.has(2)}`,
        dims: [batch === undefined ? undefined : [batch, ...image]],
        forgotten: into === undefined ? '' : activationText(into),
        what: 'the activation after them',
      };
    }
    case 'Gemm':
      return {
        facts,
        key: 'Gemm',
        dims: [dims(0), dims(1), dims(2)],
        forgotten: `${int('transA') ?? 0} ${int('transB') ?? 0} ${float('alpha')} ${float('beta')}`,
        what: 'transA, transB, alpha or beta',
      };
    case 'Tile':
      return { facts, key: 'Tile', dims: [dims(0)], forgotten: node.inputs[1] ?? '', what: 'their repeats' };
    case 'Resize': {
      const { text } = facts;
      const key = `Resize ${text('mode')} ${text('coordinate_transformation_mode')}`;
      return { facts, key, dims: [dims(0)], forgotten: node.inputs.slice(2).join(), what: 'scales or sizes' };
    }
    default:
      return undefined;
  }
}

function outputDims(graph: Scope, { outputs: [name = ''] }: Node): Dims | undefined {
  return graph.values.get(name)?.dims ?? graph.outputs.find((output) => output.name === name)?.dims;
}

function activationText({ node, constant }: NodeFacts): string {
  if (node.opType !== 'Clip') return node.opType;
  const bounds =
    node.inputs.length === 1 ? [attribute(node, 'min')?.f, attribute(node, 'max')?.f] : undefined;
  return `Clip ${bounds ?? [constant(1)?.scalar, constant(2)?.scalar]}`;
}

/** Operators that are wrong by themselves. */
const MISTAKES: Readonly<Record<string, (facts: NodeFacts) => string | undefined>> = {
  AveragePool: dilated,
  MaxPool: dilated,
  Clip: ({ node, opset }) =>
    opset >= 11 && node.inputs.length === 2
      ? 'WebGL leaves out the lower bound of a Clip without an upper one'
      : undefined,
  Shape: ({ int }) =>
    (int('start') ?? 0) !== 0 || int('end') !== undefined
      ? 'WebGL gives the whole shape, whatever start and end of Shape are'
      : undefined,
  LRN: ({ int }) =>
    (int('size') ?? 1) > 1 ? "WebGL's LRN reads beyond the first and the last channel" : undefined,
  Cast: ({ int, type }) => {
    const isFloat = floatType(type(0)) !== undefined;
    const to = int('to');
    if (!isFloat || to === undefined || floatType(to) !== undefined || to === DataType.STRING)
      return undefined;
    return to === DataType.BOOL
      ? 'WebGL casts to bool without making it 0 or 1'
      : 'WebGL casts to integers without rounding';
  },
  Div: ({ type }) => {
    const given = type(0);
    return given !== undefined && floatType(given) === undefined
      ? 'WebGL divides integers without rounding'
      : undefined;
  },
};

function dilated({ node }: NodeFacts): string | undefined {
  const isDilated = attribute(node, 'dilations')?.ints?.some((step) => step !== 1) ?? false;
  return isDilated ? `WebGL's ${node.opType} leaves out dilations` : undefined;
}
