import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { onnx } from '../../proto/onnx.js';
import { inferElementTypes } from '../../src/onnx/element-types.js';
import { scan } from '../../src/onnx/scan.js';
import { DataType } from '../../src/onnx/types.js';
import { type AttributeValue, model, node } from '../support/model.js';

// What onnx.shape_inference and ONNX Runtime infer for one node of each schema; test/generate/operator-types.py made it.
interface Case {
  readonly line: string;
  readonly domain: string;
  readonly op: string;
  readonly version: number;
  readonly attributes: Record<string, AttributeValue>;
  /** Variable and type; '' where the input is left out or no program told a type. */
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}
interface Port {
  readonly variable: string;
  readonly type: string;
}

const SHORT: Record<string, string> = { f16: 'FLOAT16', f32: 'FLOAT', f64: 'DOUBLE', bf16: 'BFLOAT16' };
const numberOf = (name: string) => DataType[(SHORT[name] ?? name.toUpperCase()) as keyof typeof DataType];

function typeProto(text: string): onnx.ITypeProto {
  const [, container, inside = ''] = /^(seq|opt|map)\((.*)\)$/.exec(text) ?? [];
  if (container === 'seq') return { sequenceType: { elemType: typeProto(inside) } };
  if (container === 'opt') return { optionalType: { elemType: typeProto(inside) } };
  if (container === 'map') return { mapType: { keyType: DataType.STRING, valueType: typeProto(inside) } };
  return { tensorType: { elemType: numberOf(text) } };
}

function attributeValue(name: string, text: string): AttributeValue {
  if (name === 'value' || name === 'values_tensor')
    return { tensor: { dataType: Number(text), dims: [1], floatData: [1] } };
  if (name.startsWith('value_float')) return { f: 1 };
  if (/strings$/.test(name)) return { strings: text.split(',') };
  if (/ints$|int64s$/.test(name)) return text.split(',').map(Number);
  return /^[\d.]+$/.test(text) ? Number(text) : text;
}

const ports = (text: string): Port[] =>
  text.split(' ').flatMap((part): Port[] => {
    if (part === '') return [];
    const [variable = '', type = ''] = part === '-' ? [] : part.split('=');
    return [{ variable, type: type === '?' ? '' : type }];
  });

const text = readFileSync(new URL('operator-types.txt', import.meta.url), 'utf8');
const cases = text
  .trim()
  .split('\n')
  .filter((line) => !line.startsWith('#'))
  .map((line): Case => {
    const [domain = '', op = '', version, settings = '', inputs = '', outputs = ''] = line.split('|');
    const attributes = settings.split(';').flatMap((one) => {
      const [name = '', value = ''] = one.split('=');
      return name === '' ? [] : [[name, attributeValue(name, value)] as const];
    });
    return {
      ...{ line, domain, op, version: Number(version), attributes: Object.fromEntries(attributes) },
      ...{ inputs: ports(inputs), outputs: ports(outputs) },
    };
  });

/** What a value holds of tensors, read by a node behind it where it is in a container. */
function reader(name: string, type: string): { nodes: onnx.INodeProto[]; name: string; type: string } {
  const [, container, inside = ''] = /^(seq|opt)\((.*)\)$/.exec(type) ?? [];
  if (container === undefined) return { nodes: [], name, type };
  const element = `${name}e`;
  const deeper = reader(element, inside);
  const op = container === 'seq' ? 'SequenceAt' : 'OptionalGetElement';
  return { ...deeper, nodes: [node(op, [name, ''], [element]), ...deeper.nodes] };
}

interface Question {
  readonly one: Case;
  /** The position of an input that is not declared; the outputs are declared instead. */
  readonly hidden?: number;
  readonly name: string;
  /** Nodes behind it, whose names start with the prefix. */
  readonly nodes?: (prefix: string) => onnx.INodeProto[];
}

/** Asks for a type of many small graphs in one model for each version of a domain: names are put behind a number. */
async function ask(questions: readonly Question[]): Promise<(number | undefined)[]> {
  const groups = new Map<string, (Question & { at: number })[]>();
  questions.forEach((question, at) => {
    const key = `${question.one.domain} ${question.one.version}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [{ ...question, at }]);
    else group.push({ ...question, at });
  });
  const answers: (number | undefined)[] = [];
  for (const group of groups.values()) {
    const [first] = group;
    if (first === undefined) continue;
    const nodes: onnx.INodeProto[] = [];
    const inputs: onnx.IValueInfoProto[] = [];
    for (const { one, at, hidden, nodes: behind } of group) {
      const name = (kind: string, slot: number) => `${at}${kind}${slot}`;
      one.inputs.forEach(({ type }, slot) => {
        if (type !== '' && slot !== hidden) inputs.push({ name: name('i', slot), type: typeProto(type) });
      });
      if (hidden !== undefined)
        one.outputs.forEach(({ type }, slot) => {
          if (type !== '') inputs.push({ name: name('o', slot), type: typeProto(type) });
        });
      const names = one.inputs.map(({ variable, type }, slot) =>
        variable === '' && type === '' ? '' : name('i', slot),
      );
      const outputs = one.outputs.map((_, slot) => name('o', slot));
      nodes.push(node(one.op, names, outputs, one.attributes, { domain: one.domain }));
      nodes.push(...(behind?.(`${at}`) ?? []));
    }
    const { domain, version } = first.one;
    const opsets = domain === '' ? { opset: version } : { opset: 18, domains: { [domain]: version } };
    const document = await scan(model({ ...opsets, nodes, values: inputs, inputs: [], outputs: [] }));
    const types = inferElementTypes(document);
    for (const { at, name } of group) answers[at] = types(document.graph, `${at}${name}`);
  }
  return answers;
}

test('the reference has every operator with its versions', () => {
  expect(cases.length).toBeGreaterThan(1500);
  expect(new Set(cases.map(({ domain }) => domain)).size).toBe(7);
});

test('the type of each output is what ONNX or ONNX Runtime infers, at a Relu behind it', async () => {
  const questions = cases.flatMap((one) =>
    one.outputs.flatMap(({ type }, slot) => {
      if (one.op === 'MatMulInteger16') return []; // int32 or uint32, as both inputs decide
      if (type === '' || type.includes('map') || (type.includes('opt') && one.version < 15)) return [];
      const inner = (prefix: string) => reader(`${prefix}o${slot}`, type);
      const nodes = (prefix: string) => {
        const { nodes, name } = inner(prefix);
        return [...nodes, node('Relu', [name], [`${prefix}r`])];
      };
      return [{ one, name: 'r', nodes, wanted: numberOf(inner('').type) }];
    }),
  );
  expect(questions.length).toBeGreaterThan(1800);
  const answers = await ask(questions);
  const wrong = questions.flatMap(({ one, wanted }, at) =>
    answers[at] === wanted ? [] : [`${one.line}: ${answers[at]}, not ${wanted}`],
  );
  expect(wrong).toEqual([]);
});

test('the type of each input is what it is declared, where the others and the outputs are known, or not known', async () => {
  const questions = cases.flatMap((one) =>
    one.inputs.flatMap(({ variable, type }, slot) => {
      if (type === '' || type.includes('(')) return [];
      const others = [...one.inputs.filter((_, at) => at !== slot), ...one.outputs];
      const tied =
        variable !== '' && others.some((other) => other.variable === variable && other.type !== '');
      return [{ one, hidden: slot, name: `i${slot}`, wanted: numberOf(type), tied }];
    }),
  );
  const answers = await ask(questions);
  const wrong = questions.flatMap(({ one, name, wanted, tied }, at) => {
    const answer = answers[at];
    return answer === wanted || (answer === undefined && !tied) ? [] : [`${one.line}: ${name} is ${answer}`];
  });
  expect(wrong).toEqual([]);
});
