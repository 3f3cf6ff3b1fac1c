import { OnnxMishError } from '../base/error.js';
import type { OnnxDocument } from '../onnx/document.js';
import { floatType, typeName } from '../onnx/types.js';

/** Returns the name of the output that the loss is computed from. Throws `bad-usage` for a missing output and for one without floats. */
export function lossOutput({ graph, source }: OnnxDocument, wanted: string | undefined): string {
  const names = graph.outputs.map(({ name }) => name);
  const name = wanted ?? names[0];
  const output = graph.outputs.find((declared) => declared.name === name);
  if (output !== undefined) {
    const type = typeName(output.elemType);
    if (type === 'unknown' || floatType(output.elemType) !== undefined) return output.name;
    throw new OnnxMishError(
      'bad-usage',
      `the output '${output.name}' has type ${type}, and a loss needs floats`,
      {
        where: source.name,
        fix: 'Name an output of scores',
      },
    );
  }
  throw new OnnxMishError('bad-usage', `the model has no output '${name ?? ''}'`, {
    where: source.name,
    fix: `Name one of its outputs: ${names.join(', ')}`,
  });
}
