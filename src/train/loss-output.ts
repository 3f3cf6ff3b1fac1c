import { OnnxMishError } from '../base/error.js';
import type { DeclaredValue, OnnxDocument } from '../onnx/document.js';
import { floatType, typeName } from '../onnx/types.js';

/** Returns the outputs that may hold floats. */
export const floatOutputs = ({ graph }: OnnxDocument): string[] =>
  graph.outputs.flatMap((output) => (mayBeFloats(output) ? [output.name] : []));

/** Returns whether an output may be a tensor of floats: its type is one of them or unknown. */
const mayBeFloats = ({ elemType, containerType }: DeclaredValue) =>
  containerType === undefined && (typeName(elemType) === 'unknown' || floatType(elemType) !== undefined);

/**
 * Returns the name of the output that the loss is computed from; by default the first of floats, since classifiers of scikit-learn
 * give the label first. Throws `bad-usage` for a missing output and for one without floats.
 */
export function lossOutput(document: OnnxDocument, wanted: string | undefined): string {
  const { graph, source } = document;
  const names = graph.outputs.map(({ name }) => name);
  const container = graph.outputs.find(({ containerType }) => containerType !== undefined)?.name;
  const name = wanted ?? floatOutputs(document)[0] ?? container ?? names[0];
  const output = graph.outputs.find((declared) => declared.name === name);
  if (output !== undefined) {
    if (mayBeFloats(output)) return output.name;
    if (output.containerType !== undefined)
      throw new OnnxMishError(
        'bad-usage',
        `the output '${output.name}' is a sequence, a map or an optional, and a loss needs a tensor of floats`,
        {
          where: source.name,
          fix: 'Export the model with a tensor of scores in its place; for scikit-learn, with to_onnx(…, options={"zipmap": False})',
        },
      );
    const type = typeName(output.elemType);
    throw new OnnxMishError(
      'bad-usage',
      `the output '${output.name}' has type ${type}, and a loss needs floats`,
      {
        where: source.name,
        ...(floatOutputs(document).length > 0
          ? { fix: 'Name an output of scores', option: { head: null } }
          : { fix: 'Export the model with its scores as an output, without an ArgMax at the end' }),
      },
    );
  }
  throw new OnnxMishError('bad-usage', `the model has no output '${name ?? ''}'`, {
    where: source.name,
    fix: `Name one of its outputs: ${names.join(', ')}`,
    option: { head: null },
  });
}
