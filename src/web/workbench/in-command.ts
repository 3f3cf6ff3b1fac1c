import type { OptionHint } from '../../base/option-hint.js';

/** Appends to advice the command for it, where the page has no field: it writes no int8 and raises no opset. */
export function withCommand(text: string, option: OptionHint = {}): string {
  const { int8, opset } =
    typeof option.swap === 'object' && option.swap !== null ? (option.swap as OptionHint) : option;
  const flags = [...(int8 ? [`--int8 ${int8}`] : []), ...(opset ? [`--opset ${opset}`] : [])];
  return flags.length === 0 ? text : `${text} (onnx-mish swap ${flags.join(' ')})`;
}
