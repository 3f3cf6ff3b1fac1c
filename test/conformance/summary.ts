import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { OnnxDocument, Scope } from '../../src/onnx/document.js';

// What independent readers make of a file, in one canonical text: nodes, names, attribute values.

/** A message as some reader gives it: names of fields in either spelling, integers of any kind. */
type Message = Readonly<Record<string, unknown>>;

/** A reader of whole models. */
export interface IndependentReader {
  readonly name: string;
  read(bytes: Uint8Array): Message;
}

/** The npm package onnx-proto, built from an older schema by others. */
export const onnxProto: IndependentReader = {
  name: 'onnx-proto',
  read: (bytes) => createRequire(import.meta.url)('onnx-proto').onnx.ModelProto.decode(bytes),
};

/** Netron's reader, from the folder of its Python package. */
export async function netron(folder: string): Promise<IndependentReader> {
  const load = (name: string) => import(pathToFileURL(`${folder}/${name}`).href);
  const [{ onnx }, { BinaryReader }] = await Promise.all([load('onnx-proto.js'), load('protobuf.js')]);
  return { name: 'Netron', read: (bytes) => onnx.ModelProto.decode(BinaryReader.open(bytes)) };
}

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const field = (message: Message, name: string): unknown => message[name] ?? message[snake(name)];
const list = (message: Message, name: string) =>
  Array.from((field(message, name) ?? []) as Iterable<unknown>);
const messages = (message: Message, name: string) => list(message, name) as Message[];
const text = (message: Message, name: string) => String(field(message, name) ?? '');
const whole = (value: unknown) => String(value ?? 0);
const hex = (bytes: unknown) => Buffer.from((bytes ?? []) as Uint8Array).toString('hex');
const bits = (value: unknown) => new Uint32Array(Float32Array.of(Number(value ?? 0)).buffer)[0] ?? 0;

function attributeText(attribute: Message): unknown {
  const type = Number(field(attribute, 'type') ?? 0);
  const value = () => {
    switch (type) {
      case 1:
        return bits(field(attribute, 'f'));
      case 2:
        return whole(field(attribute, 'i'));
      case 3:
        return hex(field(attribute, 's'));
      case 4: {
        const tensor = field(attribute, 't') as Message;
        return [Number(field(tensor, 'dataType') ?? 0), list(tensor, 'dims').map(whole)];
      }
      case 5:
        return nodesText(messages(field(attribute, 'g') as Message, 'node'));
      case 6:
        return list(attribute, 'floats').map(bits);
      case 7:
        return list(attribute, 'ints').map(whole);
      case 8:
        return list(attribute, 'strings').map(hex);
      default:
        return null;
    }
  };
  return [text(attribute, 'name'), type, value()];
}

function nodesText(nodes: readonly Message[]): unknown {
  return nodes.map((node) => [
    text(node, 'opType'),
    text(node, 'domain'),
    text(node, 'name'),
    list(node, 'input'),
    list(node, 'output'),
    messages(node, 'attribute').map(attributeText),
  ]);
}

/** The canonical text of a model as a reader sees it; python.py makes the same. */
export function summaryBy(reader: IndependentReader, bytes: Uint8Array): string {
  const model = reader.read(bytes);
  const functions = messages(model, 'functions').map((one) => nodesText(messages(one, 'node')));
  return JSON.stringify([nodesText(messages(field(model, 'graph') as Message, 'node')), functions]);
}

/** The same, of the document that was scanned. */
export function summaryOf({ graph, functions }: OnnxDocument): string {
  const nodesOf = (scope: Scope): unknown =>
    scope.nodes.map((node) => [
      node.opType,
      node.domain,
      node.name,
      node.inputs,
      node.outputs,
      node.attributes.map(({ name, type, f, i, s = '', tensor, graphs = [], strings = [], ints = [] }) => {
        const bytes = (value: string) => Buffer.from(value).toString('hex');
        const values: Readonly<Record<number, () => unknown>> = {
          1: () => bits(f),
          2: () => whole(i),
          3: () => bytes(s),
          4: () => [tensor?.elemType ?? 0, tensor?.dims.map(whole) ?? []],
          5: () => graphs.map((body) => nodesOf(body))[0] ?? [],
          7: () => ints.map(whole),
          8: () => strings.map(bytes),
        };
        return [name, type, values[type]?.() ?? null];
      }),
    ]);
  return JSON.stringify([nodesOf(graph), functions.map((one) => nodesOf(one))]);
}
