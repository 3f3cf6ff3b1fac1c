import { describe, expect, test } from 'vitest';
import { REPLACEMENTS, type ReplacementName } from '../../src/mish/activation-kinds.js';
import { FORMS } from '../../src/mish/forms.js';
import { inspect } from '../../src/mish/inspect.js';
import { notesOnInspection } from '../../src/mish/inspection-notes.js';
import { notesOn } from '../../src/mish/notes.js';
import { noteOnSize } from '../../src/mish/rare-notes.js';
import { swap } from '../../src/mish/swap.js';
import { scan } from '../../src/onnx/scan.js';
import type { FloatType } from '../../src/onnx/types.js';
import { floats, model, node } from '../support/model.js';
import { bytesOf } from '../support/models.js';

const nodes = [node('Relu', ['x'], ['y'])];
const siteAt = async (opset: number, type: FloatType = 'f32') => ({
  type,
  scope: (await scan(model({ opset, nodes }))).graph,
});

describe('notes on a form', () => {
  test.each<[keyof typeof FORMS, number, FloatType, string[]]>([
    [
      'exp',
      18,
      'f32',
      ['webgpu and cuda: seven small kernels cost more than three on a GPU; the softplus form does better'],
    ],
    [
      'exp',
      7,
      'f32',
      ['webgpu and cuda: seven small kernels cost more than three on a GPU; the softplus form does better'],
    ],
    [
      'exp',
      6,
      'f32',
      [
        'ONNX Runtime has no Mul before opset 7, and this is opset 6; convert the model to opset 7 to run it there',
        'webgpu and cuda: seven small kernels cost more than three on a GPU; the softplus form does better',
      ],
    ],
    [
      'exp',
      11,
      'f64',
      [
        'cpu and wasm: ONNX Runtime has no Clip for float64 before opset 12; convert the model to opset 12 first',
        'webgpu and cuda: seven small kernels cost more than three on a GPU; the softplus form does better',
      ],
    ],
    [
      'exp',
      12,
      'f64',
      ['webgpu and cuda: seven small kernels cost more than three on a GPU; the softplus form does better'],
    ],
    // What cannot run at all is said, and not that it would be slow as well.
    [
      'native',
      18,
      'f64',
      [
        'webgl: ONNX Runtime Web has no Mish on WebGL; the exp form does better',
        'cpu and wasm: ONNX Runtime has no Mish for float64; the exp form does better',
      ],
    ],
    [
      'native',
      18,
      'f16',
      [
        'webgl: ONNX Runtime Web has no Mish on WebGL; the exp form does better',
        'cpu and wasm: ONNX Runtime expands it to the slow softplus form; the exp form does better',
      ],
    ],
  ])('%s at opset %i in %s', async (form, opset, type, wanted) => {
    expect(notesOn(FORMS[form], [await siteAt(opset, type)])).toEqual(wanted);
  });

  test('come from any of the sites, the oldest opset among them', async () => {
    const sites = [await siteAt(18), await siteAt(5), await siteAt(11, 'f64'), await siteAt(6)];
    const [first, second, ...rest] = notesOn(FORMS.exp, sites);
    expect(first).toContain('this is opset 5');
    expect(second).toContain('float64 before opset 12');
    expect(rest).toHaveLength(1);
  });

  test('count every type that a function is called with', async () => {
    const site = { ...(await siteAt(18)), type: undefined, several: ['f32', 'f64'] as const };
    expect(notesOn(FORMS.softplus, [site])).toContain(
      'cpu and wasm: ONNX Runtime has no Softplus for float64; the exp form does better',
    );
  });

  test('are none without a site', () => {
    for (const form of Object.values(FORMS)) expect(notesOn(form, [])).toEqual([]);
  });
});

test('a file of more than 2 GiB less a byte is too large for others, and the note says how large it is and what helps', () => {
  expect([0, 1e6, 2 ** 31 - 1].flatMap(noteOnSize)).toEqual([]);
  const [note, ...rest] = noteOnSize(2 ** 31);
  expect(rest).toEqual([]);
  expect(note).toMatch(/^2,147,483,648 bytes are more than protobuf’s 2 GiB, .*external data/);
});

test.each([
  ['com.microsoft', 'FusedConv', true],
  ['com.microsoft', 'FusedGemm', true],
  ['com.microsoft', 'NhwcFusedConv', true],
  ['com.microsoft.nchwc', 'Conv', true],
  ['com.example', 'FusedConv', false],
])(
  'activations that ONNX Runtime fused are told with a way out, also beside sites: %s %s',
  async (domain, op, isTold) => {
    for (const beside of ['Relu', 'Tanh']) {
      const bytes = model({
        nodes: [node(op, ['x', 'w'], ['c'], { activation: 'Relu' }, { domain }), node(beside, ['c'], ['y'])],
      });
      const { report } = await swap(bytes);
      expect(report.skipped.map(({ why }) => why)).toEqual([`Relu is fused into ${op}`]);
      expect(report.notes.some((note) => note.includes('swap the model as it was before'))).toBe(isTold);
    }
  },
);

test.each([
  ['Elu', 'elu'],
  ['HardSwish', 'hardswish'],
  ['Gelu', 'gelu'],
  ['Relu', undefined],
  ['Tanh', undefined],
])('a model with %s alone is told how it is swapped: %s', async (op, only) => {
  const bytes = model({ opset: 20, nodes: [node(op, ['x'], ['h']), node(op, ['h'], ['y'])] });
  const advice = notesOnInspection(await inspect(bytes)).find(({ option }) => option?.swap !== undefined);
  expect(advice?.option).toEqual(only && { swap: { only } });
  const { report } = await swap(bytes);
  const own = report.notes.filter((note) => note.includes('if they are named'));
  expect(own).toEqual(only === undefined ? [] : [advice?.text]);
  if (only === undefined) return;
  expect(report.noteOptions?.[own[0] ?? '']).toEqual({ only });
  expect(advice?.text).toMatch(new RegExp(`: 2 ${only}$`));
  const others = { to: only as ReplacementName, only: undefined };
  if (REPLACEMENTS.includes(others.to)) expect((await swap(bytes, others)).report.notes).toEqual([]);
  for (const choice of [{ only: ['relu'] }, { include: ['nothing'] }]) {
    const { notes } = (await swap(bytes, choice)).report;
    expect(notes.some((note) => note.includes('if they are named'))).toBe('include' in choice);
  }
  expect((await swap(bytes, { only: [only] })).report.sites).toHaveLength(2);
});

test.each([
  ...['i8', 'i8-symmetric', 'u8', 'u8-with-relu', 'operators', 'operators-with-relu'].map(
    (name) => `mish/int8/${name}`,
  ),
])('the notes on an inspection of %s are those of a swap', async (name) => {
  const bytes = bytesOf(new URL(`../${name}.onnx`, import.meta.url).pathname);
  const inspection = await inspect(bytes);
  const { report } = await swap(bytes);
  expect(inspection.sites).toEqual([]);
  expect(notesOnInspection(inspection).map(({ text }) => text)).toEqual(report.notes);
});

test('Mish whose nodes were quantised one by one is told, and Mish between quantised tensors is not', async () => {
  const zero = { name: 'zero', dataType: 2, dims: [], rawData: Uint8Array.of(128) };
  const initializers = [floats('scale', [], [0.05]), zero];
  const quantised = (from: string) => [
    node('QuantizeLinear', [from, 'scale', 'zero'], [`${from}_q`]),
    node('DequantizeLinear', [`${from}_q`, 'scale', 'zero'], [`${from}_d`]),
  ];
  const mish = (between: boolean) => [
    ...quantised('x'),
    node('Softplus', ['x_d'], ['s']),
    ...(between ? quantised('s') : []),
    node('Tanh', [between ? 's_d' : 's'], ['t']),
    ...(between ? quantised('t') : []),
    node('Mul', ['x_d', between ? 't_d' : 't'], ['m']),
    ...quantised('m'),
    node('Identity', ['m_d'], ['y']),
  ];
  for (const inParts of [true, false]) {
    const inspection = await inspect(model({ nodes: mish(inParts), initializers }));
    expect(inspection.mish).toHaveLength(inParts ? 0 : 1);
    const told = notesOnInspection(inspection).filter(({ text }) => text.includes('quantised one by one'));
    expect(told).toHaveLength(inParts ? 1 : 0);
  }
});
