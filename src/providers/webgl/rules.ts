import { attribute } from '../../onnx/document.js';
import { DataType, typeName } from '../../onnx/types.js';
import type { Finding, NodeFacts, ProblemKind } from './facts.js';

// Rules for nodes that WebGL refuses although WebGL has the operator. The test runs every rule on WebGL.

type Rule = (facts: NodeFacts) => Finding[];

/** Returns a finding if the condition holds. */
const when = (condition: boolean, kind: ProblemKind, message: string): Finding[] =>
  condition ? [{ kind, message }] : [];

const all =
  (...rules: readonly Rule[]): Rule =>
  (facts) =>
    rules.flatMap((rule) => rule(facts));

/** Returns a rule: the first input must have one of these types. */
const takes =
  (...accepted: readonly number[]): Rule =>
  ({ node, type }) => {
    const given = type(0);
    return when(
      given !== undefined && !accepted.includes(given),
      'element-type',
      `WebGL's ${node.opType} does not support ${typeName(given)}`,
    );
  };

const takesFloats = takes(DataType.FLOAT, DataType.DOUBLE);

/** All types but bool and string. */
const takesNumbers: Rule = ({ node, type }) => {
  const given = type(0);
  return when(
    given === DataType.BOOL || given === DataType.STRING,
    'element-type',
    `WebGL's ${node.opType} does not support ${typeName(given)}`,
  );
};

/** Returns a rule: an input must have one of these ranks. */
const ranks =
  (slot: number, isRight: (rank: number) => boolean, wanted: string): Rule =>
  ({ node, dims }) => {
    const rank = dims(slot)?.length;
    return when(
      rank !== undefined && !isRight(rank),
      'rank',
      `WebGL's ${node.opType} takes ${wanted}, and this one has ${rank}`,
    );
  };

/** Returns a rule: from this opset on, these inputs must be constants. */
const constants =
  (since: number, slots: readonly number[], what: string): Rule =>
  ({ node, opset, has, constant }) =>
    when(
      opset >= since && slots.some((slot) => has(slot) && constant(slot) === undefined),
      'dynamic',
      `WebGL's ${node.opType} takes ${what} only from constants`,
    );

const mostInputs =
  (most: number, instead: string): Rule =>
  ({ node }) =>
    when(node.inputs.length > most, 'inputs', `WebGL's ${node.opType} ${instead}`);

const unset =
  (name: string): Rule =>
  ({ node, int }) =>
    when((int(name) ?? 0) !== 0, 'attribute', `WebGL's ${node.opType} does not support ${name}`);

const imageConv = all(
  takes(DataType.FLOAT),
  ranks(1, (rank) => rank === 4, 'weights of four dimensions, for images'),
);
/** Without groups, WebGL misreads computed weights, as if their texture had another layout. */
const conv = all(imageConv, ({ node, int, constant, scope }) => {
  const isGiven = constant(1) !== undefined || scope.inputs.some(({ name }) => name === node.inputs[1]);
  return when(
    (int('group') ?? 1) === 1 && !isGiven,
    'dynamic',
    `WebGL's ${node.opType} without groups does not support weights that nodes compute`,
  );
});
const pool = all(takesFloats, unset('ceil_mode'));
const reduce = all(takesNumbers, mostInputs(1, 'takes its axes as an attribute only'));

const gemm: Rule = all(
  takesFloats,
  ({ node }) => when(node.inputs.length < 3, 'inputs', `WebGL's ${node.opType} needs its third input`),
  ranks(2, (rank) => rank === 1 || rank === 2, 'a third input of one or two dimensions'),
);

const isMatrix = (rank: number) => rank >= 2;
const matMul: Rule = all(
  takesFloats,
  ranks(0, isMatrix, 'two or more dimensions'),
  ranks(1, isMatrix, 'two or more dimensions'),
);

const PAD_MODES: readonly string[] = ['constant', 'reflect', 'edge'];
const pad: Rule = all(
  takesFloats,
  mostInputs(3, 'does not support axes'),
  constants(11, [1, 2], 'pads and value'),
  ({ text }) => {
    const mode = text('mode') ?? 'constant';
    return when(!PAD_MODES.includes(mode), 'attribute', `WebGL's Pad does not support the mode ${mode}`);
  },
);

const slice: Rule = all(constants(10, [1, 2, 3, 4], 'starts, ends, axes and steps'), ({ constant }) => {
  const step = constant(4)?.scalar;
  return when(
    step !== undefined && step !== 1,
    'inputs',
    `WebGL's Slice supports only steps of 1, and this step is ${step}`,
  );
});

const COORDINATES: readonly string[] = ['asymmetric', 'half_pixel', 'pytorch_half_pixel', 'align_corners'];
const resize: Rule = ({ opset, text, has, dims }) => {
  const mode = text('mode') ?? 'nearest';
  const coordinates = text('coordinate_transformation_mode') ?? 'half_pixel';
  const rank = dims(0)?.length;
  return [
    ...when(opset === 10, 'opset', "WebGL's Resize fails in opset 10"),
    ...when(
      mode !== 'linear',
      'attribute',
      `WebGL's Resize supports only the mode linear, and this mode is ${mode}`,
    ),
    ...when(
      !COORDINATES.includes(coordinates),
      'attribute',
      `WebGL's Resize does not support the coordinate_transformation_mode ${coordinates}`,
    ),
    // WebGL counts only the given inputs. If an earlier one is omitted, it reads sizes as scales.
    ...when(
      has(3) && !(has(1) && has(2)),
      'inputs',
      "WebGL's Resize takes sizes only where roi and scales are given, empty ones too",
    ),
    ...when(
      rank !== undefined && rank !== 2 && rank !== 4,
      'rank',
      `WebGL's Resize supports two or four dimensions, and its input has ${rank}`,
    ),
  ];
};

/** WebGL's Sum adds only tensors of equal shape. */
const sum: Rule = all(takesFloats, ({ node, dims }) => {
  const shapes = node.inputs.map((_, slot) => dims(slot));
  const [first] = shapes;
  const differs = shapes.some(
    (shape) =>
      first !== undefined &&
      shape !== undefined &&
      (shape.length !== first.length ||
        shape.some(
          (size, axis) => typeof size === 'number' && typeof first[axis] === 'number' && size !== first[axis],
        )),
  );
  return when(differs, 'inputs', "WebGL's Sum supports only inputs of one shape");
});

const cast: Rule = all(
  ({ int }) => {
    const to = int('to') ?? 0;
    const isKnown = to >= 1 && to <= 13 && to !== DataType.FLOAT16 && to !== DataType.STRING;
    return when(!isKnown, 'element-type', `WebGL does not support a cast to ${typeName(to)}`);
  },
  ({ type }) => when(type(0) === DataType.STRING, 'element-type', 'WebGL does not cast strings'),
);

const squeeze: Rule = ({ node, opset }) =>
  opset >= 13
    ? when(node.inputs.length < 2, 'inputs', "WebGL's Squeeze needs its axes")
    : when(attribute(node, 'axes') === undefined, 'attribute', "WebGL's Squeeze needs its axes");

const dropout: Rule = all(mostInputs(1, 'takes one input only'), ({ node, scope }) => {
  const mask = node.outputs[1] ?? '';
  const isUsed =
    mask !== '' &&
    (scope.outputs.some(({ name }) => name === mask) ||
      scope.nodes.some(({ inputs }) => inputs.includes(mask)));
  return when(isUsed, 'outputs', "WebGL's Dropout does not compute its mask");
});

/** Rule of each operator, by its name. */
export const RULES: Readonly<Record<string, Rule>> = {
  AveragePool: pool,
  BatchNormalization: all(
    takesFloats,
    ranks(0, (rank) => rank >= 3, 'three or more dimensions'),
  ),
  Cast: cast,
  Clip: (facts) => (facts.has(2) ? constants(11, [1, 2], 'its bounds')(facts) : []),
  Conv: conv,
  ConvTranspose: imageConv,
  Dropout: dropout,
  FusedConv: conv,
  Gather: takesNumbers,
  Gemm: gemm,
  GlobalAveragePool: takesFloats,
  GlobalMaxPool: takesFloats,
  InstanceNormalization: all(
    takesFloats,
    ranks(0, (rank) => rank === 4, 'four dimensions'),
  ),
  LRN: all(
    takes(DataType.FLOAT),
    ranks(0, (rank) => rank === 4, 'four dimensions'),
  ),
  MatMul: matMul,
  MaxPool: all(pool, unset('storage_order')),
  Pad: pad,
  ReduceLogSum: reduce,
  ReduceMax: reduce,
  ReduceMean: reduce,
  ReduceMin: reduce,
  ReduceProd: reduce,
  ReduceSum: reduce,
  ReduceSumSquare: reduce,
  Resize: resize,
  Slice: slice,
  Softmax: takesFloats,
  Squeeze: squeeze,
  Sum: sum,
  Tile: takesNumbers,
  Transpose: takesFloats,
  Upsample: ({ opset }) => when(opset === 9, 'opset', "WebGL's Upsample fails in opset 9"),
};
