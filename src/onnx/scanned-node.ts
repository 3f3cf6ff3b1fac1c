import type { onnx } from '../../proto/onnx.js';
import type { Attribute, Frame, Node, Span } from './document.js';
import type { Field } from './reader.js';
import { defaultDomain } from './scan-values.js';

/** Operator or function that a node calls. */
export type Operator = Pick<Node, 'opType' | 'domain' | 'overload'>;

const NONE: readonly never[] = [];
/** A list of names, or a single name, since most nodes have a single output. */
type Names = string | readonly string[];

/** A node of a scanned model. A class with getters saves memory in models of a million nodes. */
export class ScannedNode implements Node {
  readonly name: string;
  attributes: readonly Attribute[] = NONE;
  readonly #operator: Operator;
  readonly #inputs: Names;
  readonly #outputs: Names;
  readonly #start: number;
  readonly #end: number;

  constructor(
    proto: onnx.NodeProto,
    operators: Map<string, Operator>,
    readonly index: number,
    field: Field,
    readonly frame: Frame,
  ) {
    this.name = proto.name;
    this.#operator = operatorOf(proto, operators);
    this.#inputs = compact(proto.input);
    this.#outputs = compact(proto.output);
    this.#start = field.start;
    this.#end = field.end;
  }

  get opType(): string {
    return this.#operator.opType;
  }

  get domain(): string {
    return this.#operator.domain;
  }

  get overload(): string {
    return this.#operator.overload;
  }

  get inputs(): readonly string[] {
    return list(this.#inputs);
  }

  get outputs(): readonly string[] {
    return list(this.#outputs);
  }

  get span(): Span {
    return { start: this.#start, end: this.#end };
  }

  get lossyNames(): boolean {
    return isLossy(this.name) || hasLossy(this.#inputs) || hasLossy(this.#outputs);
  }
}

const isLossy = (name: string): boolean => name.includes('\ufffd');
const hasLossy = (names: Names): boolean =>
  typeof names === 'string' ? isLossy(names) : names.some(isLossy);

/** Returns the operator of a node. Nodes with the same operator share the object. */
function operatorOf(
  { opType, domain, overload }: onnx.NodeProto,
  operators: Map<string, Operator>,
): Operator {
  const key = domain === '' && overload === '' ? opType : `${opType}\0${domain}\0${overload}`;
  let operator = operators.get(key);
  if (operator === undefined) {
    operator = { opType, domain: defaultDomain(domain), overload };
    operators.set(key, operator);
  }
  return operator;
}

/** Copies a list, since a grown list has spare capacity. */
function compact(names: readonly string[]): Names {
  const [only] = names;
  if (only === undefined) return NONE;
  return names.length === 1 ? only : names.slice();
}

const list = (names: Names): readonly string[] => (typeof names === 'string' ? [names] : names);
