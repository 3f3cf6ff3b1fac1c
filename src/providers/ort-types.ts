/** ONNX Runtime's name of each element type, in node and in the browser. */
export const ORT_TYPES = {
  f32: 'float32',
  f64: 'float64',
  f16: 'float16',
  bool: 'bool',
  string: 'string',
  i8: 'int8',
  u8: 'uint8',
  i16: 'int16',
  u16: 'uint16',
  i32: 'int32',
  u32: 'uint32',
  i64: 'int64',
  u64: 'uint64',
} as const satisfies Readonly<Record<string, string>>;

/** Element type of values other than tensors: sequences, maps and optionals. */
export const CONTAINER_TYPE = 'container';

const SHORT_TYPES = new Map<string, string>(Object.entries(ORT_TYPES).map(([short, long]) => [long, short]));

/** Returns ONNX Runtime's name of an element type; undefined for a type that ONNX Runtime lacks. */
export function ortType(elemType: string): (typeof ORT_TYPES)[keyof typeof ORT_TYPES] | undefined {
  return Object.hasOwn(ORT_TYPES, elemType) ? ORT_TYPES[elemType as keyof typeof ORT_TYPES] : undefined;
}

/** Returns the short name of a type from ONNX Runtime's name. */
export function elemTypeOf(ortType: string): string {
  return SHORT_TYPES.get(ortType) ?? ortType;
}
