import type { Analysis } from '../onnx/analysis.js';
import { attribute, type Node, nodeLabel, type OnnxDocument, type Scope } from '../onnx/document.js';
import { boundsOfClip, createOperands, type Operands } from './operands.js';
import { movesValues, wordSet } from './use-moves.js';
import { enter, type InputUse, leave, type ScopedValue } from './value-flow.js';

// Masks add or select -Infinity, for which ReLU gives 0. Mish, x · tanh(softplus x), gives -Infinity · 0, which is NaN.

const ADDS = wordSet('Add Sum Mean Mul Div');
const GREATEST = wordSet('MaxPool GlobalMaxPool ReduceMax TopK');

/** Returns a function that names the constant -Infinity that reaches a value with no layer between; undefined for none. */
export function findMinusInfinity(
  document: OnnxDocument,
  { index, calls }: Analysis,
): (scope: Scope, name: string) => string | undefined {
  const operands = createOperands(index);
  const names = new Map<number, string>();
  const queue: ScopedValue[] = [];
  const reach = (place: ScopedValue, label: string) => {
    const home = place.name === '' ? undefined : index.home(place.scope, place.name);
    const number = home && index.number(home, place.name);
    if (home === undefined || number === undefined || names.has(number)) return;
    names.set(number, label);
    queue.push({ scope: home, name: place.name });
  };
  for (const scope of document.scopes) {
    for (const [name, tensor] of scope.initializers)
      if (tensor.scalar === Number.NEGATIVE_INFINITY || tensor.minusInfinity) reach({ scope, name }, name);
    for (const node of scope.nodes) {
      const [name = ''] = node.outputs;
      if (makesIt(node, scope, operands)) reach({ scope, name }, nodeLabel(node));
    }
  }
  for (const { scope, name } of queue) {
    const label = names.get(index.number(scope, name) ?? -1) ?? '';
    for (const use of index.uses(scope, name)) {
      if (use.kind === 'output') {
        for (const place of leave(use.scope, use.slot)) reach(place, label);
        if (use.scope.kind !== 'function') continue;
        for (const call of calls.callers(use.scope))
          reach({ scope: call.scope, name: call.node.outputs[use.slot] ?? '' }, label);
        continue;
      }
      const { node, slot, scope: at } = use;
      const callee = calls.callee(node);
      if (callee !== undefined) reach({ scope: callee, name: callee.inputs[slot]?.name ?? '' }, label);
      else if (node.domain === '') {
        for (const place of enter(node, slot)) reach(place, label);
        if (handsOn(use, operands))
          for (const output of node.outputs) reach({ scope: at, name: output }, label);
      }
    }
  }
  return (scope, name) => {
    const home = index.home(scope, name);
    return home && names.get(index.number(home, name) ?? -1);
  };
}

/** Returns whether a node's output is the constant -Infinity, or negates +Infinity. */
function makesIt(node: Node, scope: Scope, operands: Operands): boolean {
  const { opType, inputs, domain } = node;
  if (domain !== '') return false;
  if (opType === 'Constant' || opType === 'ConstantOfShape') {
    const [given] = node.attributes;
    const value = given?.tensor?.scalar ?? (given?.name === 'value_float' ? given.f : undefined);
    return value === Number.NEGATIVE_INFINITY || given?.tensor?.minusInfinity === true;
  }
  const turned = opType === 'Neg' ? inputs[0] : opType === 'Sub' ? inputs[1] : undefined;
  if (turned !== undefined) return operands.constant(scope, turned)?.value === Number.POSITIVE_INFINITY;
  // Up to opset 10 the fill value is an attribute.
  return opType === 'Pad' && attribute(node, 'value')?.f === Number.NEGATIVE_INFINITY;
}

/** Returns whether -Infinity at an input slot reaches the output. */
function handsOn(use: InputUse, operands: Operands): boolean {
  const { node, slot, scope } = use;
  const { opType } = node;
  if (GREATEST.has(opType)) return false;
  if (movesValues(use) || ADDS.has(opType)) return opType !== 'Div' || slot === 0;
  if (opType === 'Sub' || opType === 'LeakyRelu') return slot === 0;
  if (opType === 'Min') return true;
  if (opType !== 'Clip' || slot !== 0) return false;
  return boundsOfClip(node, scope, operands).least === undefined;
}
