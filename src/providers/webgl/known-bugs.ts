import { ownProperty } from '../../base/own.js';
import { curableFaults, type Fault } from '../../mish/webgl/faults.js';
import { load } from '../../mish/webgl/loaded.js';
import { mixedUp, type Program, tooLate } from '../../mish/webgl/programs.js';
import { type Analysis, analyse } from '../../onnx/analysis.js';
import { attribute, nodeLabel, type OnnxDocument } from '../../onnx/document.js';
import { DataType, floatType } from '../../onnx/types.js';
import { type NodeFacts, problemAt, type WebglProblem, webglFacts } from './facts.js';

/**
 * Lists the nodes that WebGL of onnxruntime-web 1.30.0 may compute wrongly without an error. The model is not run.
 * `test/providers/webgl/mistakes.md` names the places in WebGL's code. Unknown dimensions count as equal.
 */
export function webglMistakes(
  document: OnnxDocument,
  analysis: Analysis = analyse(document),
): WebglProblem[] {
  const all = webglFacts(document, analysis);
  const loaded = load(document, analysis);
  const factsOf = new Map(all.map((facts) => [facts.node, facts]));
  const curable = curableFaults(loaded).filter(({ isRefused }) => !isRefused);
  const faults = [...curable, ...sharedPrograms(all)].flatMap(({ node, says }) => {
    const facts = factsOf.get(node);
    return facts === undefined ? [] : [mistake(facts, says)];
  });
  return [
    ...new Map(faults.map((problem) => [`${problem.node} ${problem.message}`, problem])).values(),
    ...all.flatMap((facts) => {
      const message =
        facts.node.domain === '' ? ownProperty(MISTAKES, facts.node.opType)?.(facts) : undefined;
      return message === undefined ? [] : [mistake(facts, message)];
    }),
  ];
}

/** Describes the nodes that `webglMistakes` lists, a sentence each. */
export const webglSuspicions = (document: OnnxDocument): string[] =>
  webglMistakes(document).map(({ op, node, message }) => `${op} ‘${node}’: ${message}`);

const mistake = (facts: NodeFacts, message: string) => problemAt(facts, { kind: 'mistake', message });

function sharedPrograms(all: readonly NodeFacts[]): Pick<Fault, 'node' | 'says'>[] {
  const programs = all.flatMap((facts) => programOf(facts) ?? []);
  return mixedUp(programs)
    .flatMap(tooLate)
    .map(([{ node, what }, first]) => {
      const says = `WebGL may run it as ${nodeLabel(first.node)}, though they differ in ${what}`;
      return { node, says };
    });
}

function programOf({ node, dims, int, text }: NodeFacts): (Program & { what: string }) | undefined {
  const float = (name: string) => attribute(node, name)?.f ?? 1;
  switch (node.domain === '' ? node.opType : '') {
    case 'Gemm':
      return {
        node,
        key: 'Gemm',
        dims: [dims(0), dims(1), dims(2)],
        forgotten: `${int('transA') ?? 0} ${int('transB') ?? 0} ${float('alpha')} ${float('beta')}`,
        what: 'transA, transB, alpha or beta',
      };
    case 'Tile':
      return { node, key: 'Tile', dims: [dims(0)], forgotten: node.inputs[1] ?? '', what: 'their repeats' };
    case 'Resize': {
      const key = `Resize ${text('mode')} ${text('coordinate_transformation_mode')}`;
      return { node, key, dims: [dims(0)], forgotten: node.inputs.slice(2).join(), what: 'scales or sizes' };
    }
    default:
      return undefined;
  }
}

/** Bugs of single operators; each function returns the bug of a node, if any. */
const MISTAKES: Readonly<Record<string, (facts: NodeFacts) => string | undefined>> = {
  AveragePool: dilated,
  MaxPool: dilated,
  Shape: ({ int }) =>
    (int('start') ?? 0) !== 0 || int('end') !== undefined ? "WebGL's Shape ignores start and end" : undefined,
  Cast: ({ int, type }) => {
    const isFloat = floatType(type(0)) !== undefined;
    const to = int('to');
    if (!isFloat || to === undefined || floatType(to) !== undefined || to === DataType.STRING)
      return undefined;
    return to === DataType.BOOL
      ? "WebGL's cast to bool leaves numbers other than 0 and 1"
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
