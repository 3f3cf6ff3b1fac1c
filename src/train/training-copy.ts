// Rewrites a model so that gradients can flow: float32, without functions, constant branches and training mode.
import { attribute, type OnnxDocument, type Scope, tensorOfConstant } from '../onnx/document.js';
import { inferenceEdits, trainingNodes } from '../onnx/inference-edits.js';
import { asFloat32 } from '../onnx/model-passes/as-float32.js';
import { type InlinedBranch, inlineBranches } from '../onnx/model-passes/inline-branches.js';
import { type HoistedConstant, inlineFunctions } from '../onnx/model-passes/inline-functions.js';
import { decodeModel, encodeModel, type ModelProto } from '../onnx/model-passes/model-proto.js';
import { splice } from '../onnx/splice.js';
import { type FloatType, floatType } from '../onnx/types.js';
import type { EditableModel } from '../providers/loaded-model.js';
import { elementCount } from '../providers/tensor.js';
import { listNames, type TrainingRemark } from './training-remark.js';

/** Place of a constant in the original model. */
export interface ConstantOrigin {
  readonly scope: Scope;
  readonly name: string;
}

export interface TrainingCopy {
  readonly model: EditableModel;
  readonly remarks: readonly TrainingRemark[];
  /** Origins of the copy's constants that have another place or name in the original. */
  readonly origins: ReadonlyMap<string, ConstantOrigin>;
}

/** Returns the model itself if it needs no change, else a rewritten copy in memory. Throws as `decodeModel` and `asFloat32` do. */
export async function trainingCopy(original: EditableModel): Promise<TrainingCopy> {
  const remarks = await modeRemarks(original.document);
  const model =
    remarks.length === 0
      ? original
      : await original.edited(splice(original.document.source, await inferenceEdits(original.document)));
  const { document, openData } = model;
  const types = otherFloats(document);
  if (!needsRewriting(document) && types.size === 0) return { model, remarks, origins: new Map() };
  const origins = new Map<string, ConstantOrigin>();
  const proto = await decodeModel(document);
  const functions = inlineFunctions(proto);
  addFunctionOrigins(origins, document, functions.constants);
  if (functions.inlined.length > 0)
    remarks.push({
      code: 'functions-inlined',
      text: `Calls of ${listNames(functions.inlined)} were inlined`,
    });
  if (functions.kept.length > 0)
    remarks.push({
      code: 'functions-kept',
      text: `No gradient flows through ${listNames(functions.kept)}, because its opsets differ from the model's`,
    });
  const branches = inlineBranches(proto);
  addBranchOrigins(origins, document, branches);
  if (branches.length > 0)
    remarks.push({
      code: 'branches-inlined',
      text: `If nodes with a constant condition were replaced by their branch: ${listNames(branches.map(({ output }) => output))}`,
    });
  if (types.size > 0) {
    await asFloat32(proto, types, openData);
    remarks.push({
      code: 'as-float32',
      text: `Tensors of ${[...types].join(' and ')} train as f32; the result is rounded to their type`,
    });
  }
  return { model: await rebuilt(model, proto), remarks, origins };
}

/** Replaces a model by another, which shares its external data. */
export function rebuilt(model: EditableModel, proto: ModelProto): Promise<EditableModel> {
  const { source } = model.document;
  return model.edited(
    splice(source, [{ start: 0, end: source.size, bytes: encodeModel(proto), frame: undefined }]),
  );
}

const TYPED_OPERATORS = new Set(['Cast', 'Constant']);

/** Finds the float types other than f32 in which a model computes. f64 counts only for tensors of several elements. */
function otherFloats({ scopes }: OnnxDocument): ReadonlySet<FloatType> {
  const types = new Set<FloatType>();
  const add = (elemType: number | undefined, isWide: boolean) => {
    const type = floatType(elemType);
    if (type !== undefined && type !== 'f32' && (type !== 'f64' || isWide)) types.add(type);
  };
  const isWide = (dims: readonly number[]) => elementCount(dims) > 1;
  for (const { inputs, initializers, nodes } of scopes) {
    for (const { elemType } of inputs) add(elemType, false);
    for (const { elemType, dims } of initializers.values()) add(elemType, isWide(dims));
    for (const node of nodes) {
      if (node.domain !== '' || !TYPED_OPERATORS.has(node.opType)) continue;
      const tensor = tensorOfConstant(node);
      if (tensor !== undefined) add(tensor.elemType, isWide(tensor.dims));
      else if (node.opType === 'Cast') add(attribute(node, 'to')?.i, false);
    }
  }
  return types;
}

/** Returns whether a model has functions or an If. */
const needsRewriting = ({ functions, graph }: OnnxDocument): boolean =>
  functions.length > 0 || graph.nodes.some(({ domain, opType }) => domain === '' && opType === 'If');

function addFunctionOrigins(
  origins: Map<string, ConstantOrigin>,
  { functions }: OnnxDocument,
  constants: readonly HoistedConstant[],
): void {
  const keyOf = (one: HoistedConstant['callee']) => `${one.domain}\0${one.name}\0${one.overload}`;
  const scopes = new Map(
    functions.flatMap((scope) => (scope.callee ? [[keyOf(scope.callee), scope] as const] : [])),
  );
  for (const { name, inner, callee } of constants) {
    const scope = scopes.get(keyOf(callee));
    if (scope !== undefined) origins.set(name, { scope, name: inner });
  }
}

/** Adds the origins of the constants of inlined branches. */
export function addBranchOrigins(
  origins: Map<string, ConstantOrigin>,
  { scopes }: OnnxDocument,
  branches: readonly InlinedBranch[],
): Map<string, ConstantOrigin> {
  for (const { output, branch, constants } of branches) {
    const scope = scopes.find(
      ({ owner, path }) => owner?.outputs[0] === output && path.endsWith(`.${branch}`),
    );
    if (scope !== undefined) for (const name of constants) origins.set(name, { scope, name });
  }
  return origins;
}

async function modeRemarks(document: OnnxDocument): Promise<TrainingRemark[]> {
  const nodes = await trainingNodes(document);
  const remark = (operator: string, what: string): TrainingRemark[] => {
    const outputs = nodes.filter(({ opType }) => opType === operator).map(({ outputs: [y = ''] }) => y);
    if (outputs.length === 0) return [];
    return [{ code: 'inference-mode', text: `${what}, also in the result: ${listNames(outputs)}` }];
  };
  return [
    ...remark(
      'BatchNormalization',
      'Batch normalisation exported in training mode is put into inference mode',
    ),
    ...remark('Dropout', 'Dropout in training mode passes its input on'),
  ];
}
