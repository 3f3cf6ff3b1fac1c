import { onnx } from '../../proto/onnx.js';
import { scalarTensor } from '../onnx/scalar.js';
import type { FloatType } from '../onnx/types.js';
import { constantValue, type Form, stepsOf, type Variant } from './forms.js';

const AttributeType = onnx.AttributeProto.AttributeType;
/** The opset in which Clip's bounds became inputs. */
const CLIP_INPUTS = 11;
/** The opset from which arithmetic operators broadcast without an attribute. */
const BROADCASTING = 7;

export interface Emission extends Variant {
  readonly form: Form;
  /** Element type of the site; may be undefined if the form needs no constants. */
  readonly type: FloatType | undefined;
  /** Opset of the graph or function that receives the nodes. */
  readonly opset: number;
  /** Name of the site's input. */
  readonly x: string;
  /** Name of the site's output. */
  readonly y: string;
  /** Prefix of the new nodes' names. */
  readonly prefix: string;
  /** Returns a name that no node or value has. */
  readonly fresh: (wanted: string) => string;
  /** Returns the name of a scalar constant visible at the site; creates it on first use. */
  readonly constant: (label: string, value: number, type: FloatType) => string;
}

/** Returns whether the form needs constants for this variant. If so, the element type must be known. */
export function needsConstants(form: Form, variant: Variant): boolean {
  return stepsFor(form, variant).some((step) => step.inputs.some((name) => name in form.constants));
}

function stepsFor(form: Form, { beta, leak }: Variant) {
  return stepsOf(form, beta !== 1, leak !== undefined);
}

/** Returns the nodes that compute y = x · tanh(softplus(βx)), or its mixture, in this form, in topological order. */
export function emit(emission: Emission): onnx.INodeProto[] {
  const { form, opset, x, y, prefix, fresh } = emission;
  const names = new Map([['x', x]]);
  return stepsFor(form, emission).map((step) => {
    const attributes: onnx.IAttributeProto[] = [];
    const operands = step.inputs.filter((name) => {
      if (step.op !== 'Clip' || opset >= CLIP_INPUTS || !(name in form.constants)) return true;
      attributes.push({
        name: name === 'cap' ? 'max' : 'min',
        type: AttributeType.FLOAT,
        f: asFloat32(value(emission, name)),
      });
      return false;
    });
    const hasConstant = operands.some((name) => name in form.constants);
    if (hasConstant && opset < BROADCASTING)
      attributes.push({ name: 'broadcast', type: AttributeType.INT, i: 1 });
    const input = operands.map((name) => {
      if (!(name in form.constants)) return names.get(name) ?? name;
      return emission.constant(name, value(emission, name), known(emission));
    });
    const path = step.output === 'y' ? `${prefix}/mish` : `${prefix}/mish/${step.output}`;
    const name = fresh(path);
    if (step.output !== 'y') names.set(step.output, name);
    return { opType: step.op, name, input, output: [names.get(step.output) ?? y], attribute: attributes };
  });
}

/** Builds a Constant node for a scalar. It uses the attribute `value`, which every opset has. */
export function constantNode(name: string, value: number, type: FloatType): onnx.INodeProto {
  const attribute = [{ name: 'value', type: AttributeType.TENSOR, t: scalarTensor(value, type) }];
  return { opType: 'Constant', name, output: [name], attribute };
}

function value(emission: Emission, label: string): number {
  const { form, beta, leak } = emission;
  return constantValue(form.constants[label] ?? 0, known(emission), beta, leak);
}

/** Returns the element type. Callers check `needsConstants` first. */
function known({ type, form }: Emission): FloatType {
  if (type === undefined) throw new Error(`the ${form.name} form needs an element type`);
  return type;
}

/** Limits a value to float32, the type of float attributes. Float32's lowest value also works as the floor of float64. */
function asFloat32(value: number): number {
  return Math.max(value, -(2 - 2 ** -23) * 2 ** 127);
}
