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

/** The element type of what is no tensor: a sequence, a map or an optional. */
export const CONTAINER = 'container';

const SHORT_TYPES = new Map<string, string>(Object.entries(ORT_TYPES).map(([short, long]) => [long, short]));

/** ONNX Runtime's name of an element type; undefined for one that it has not. */
export function ortType(elemType: string): (typeof ORT_TYPES)[keyof typeof ORT_TYPES] | undefined {
  return Object.hasOwn(ORT_TYPES, elemType) ? ORT_TYPES[elemType as keyof typeof ORT_TYPES] : undefined;
}

/** The short name of what ONNX Runtime calls a type. */
export function elemTypeOf(ortType: string): string {
  return SHORT_TYPES.get(ortType) ?? ortType;
}
