import type { OptionHint, OptionName } from '../../base/option-hint.js';

/** Options without a field on the page, as commands with a flag. */
const COMMANDS: readonly (readonly [OptionName, command: string])[] = [
  ['head', 'onnx-mish finetune --head'],
  ['int8', 'onnx-mish swap --int8'],
  ['layers', 'onnx-mish calibrate --layers'],
  ['loss', 'onnx-mish finetune --loss'],
  ['opset', 'onnx-mish swap --opset'],
];

/** Appends to advice the command for it, where the page has no field for its options. */
export function withCommand(text: string, option: OptionHint = {}): string {
  const { swap } = option;
  const advised = typeof swap === 'object' && swap !== null ? (swap as OptionHint) : option;
  const commands = COMMANDS.flatMap(([name, command]) => {
    const value = advised[name];
    return value === undefined ? [] : [value === null ? command : `${command} ${value}`];
  });
  return commands.length === 0 ? text : `${text} (${commands.join(', ')})`;
}
