/**
 * How Mish is written between quantised tensors: `exact`, in a form between floats; or `qlinear`, as x · σ(ax + b) by ONNX
 * Runtime's operators on integers.
 */
export const INT8_WAYS = ['exact', 'qlinear'] as const;
export type Int8Way = (typeof INT8_WAYS)[number];
