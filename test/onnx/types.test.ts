import { expect, test } from 'vitest';
import { DataType, FLOAT_TYPES, floatType, typeName } from '../../src/onnx/types.js';

test('types have short names, ONNX’s own where there is none, and a number where ONNX knows none', () => {
  const named = Object.entries(DataType).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number',
  );
  const short: Record<string, string> = { FLOAT: 'f32', DOUBLE: 'f64', FLOAT16: 'f16', BFLOAT16: 'bf16' };
  for (const [name, number] of named) {
    const wanted =
      short[name] ??
      name.replace(/^(U?)INT(8|16|32|64)$/, (_, u: string, bits) => `${u}i${bits}`.replace('Ui', 'u'));
    expect(typeName(number)).toBe(number === 0 ? 'unknown' : wanted.toLowerCase());
  }
  expect([undefined, 0, 999, -1].map(typeName)).toEqual(['unknown', 'unknown', 'type 999', 'type -1']);
});

test('the float types are those four', () => {
  for (const [name, number] of Object.entries(FLOAT_TYPES)) expect(floatType(number)).toBe(name);
  const floats: readonly number[] = Object.values(FLOAT_TYPES);
  const others = Object.values(DataType).filter(
    (number) => typeof number === 'number' && !floats.includes(number),
  );
  expect(others.length).toBeGreaterThan(10);
  for (const number of [...others, undefined, 999]) expect(floatType(number as number)).toBeUndefined();
});
