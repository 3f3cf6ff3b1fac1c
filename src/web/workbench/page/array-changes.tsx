import type { ValueSummary } from '../../../mish/inspect.js';
import { type ChosenLabels, hasPlaces, labelProblem } from './labels.js';
import { Choice, TextField } from './parts.js';
import { scaleProblem } from './shapes.js';
import type { Feed } from './state.js';

type Changes = Pick<Feed, 'scale' | 'dataLayout'>;

const LAYOUT_NAMES: readonly (readonly [Changes['dataLayout'], string])[] = [
  ['', 'where the model has them'],
  ['nchw', 'first'],
  ['nhwc', 'last'],
];

/** Shows the factor for arrays of samples. */
export function ScaleField(props: {
  readonly id: string;
  readonly scale: string;
  readonly change: (change: Pick<Changes, 'scale'>) => void;
}) {
  const { id, scale, change } = props;
  return (
    <TextField
      id={`${id}-scale`}
      label="Multiply them by"
      value={scale}
      problem={scaleProblem(scale)}
      hint="such as 1/255 for bytes"
      onText={(text) => change({ scale: text })}
    />
  );
}

/** Shows the label that does not count, where samples have a label for each place. */
export function IgnoredLabelField(props: {
  readonly id: string;
  readonly chosen: ChosenLabels;
  readonly ignoreLabel: string;
  readonly change: (change: { readonly ignoreLabel: string }) => void;
}) {
  const { id, chosen, ignoreLabel, change } = props;
  if (!hasPlaces(chosen)) return null;
  return (
    <TextField
      id={`${id}-ignore-label`}
      label="Label to ignore"
      value={ignoreLabel}
      problem={labelProblem(ignoreLabel)}
      hint="places with it do not count; many masks use 255"
      onText={(text) => change({ ignoreLabel: text })}
    />
  );
}

/** Shows the position of the channels in arrays of images, for a model that takes images. */
export function LayoutChoice(props: {
  readonly id: string;
  readonly inputs: readonly ValueSummary[];
  readonly dataLayout: Changes['dataLayout'];
  readonly change: (change: Pick<Changes, 'dataLayout'>) => void;
}) {
  const { id, inputs, dataLayout, change } = props;
  if (inputs.every(({ dims }) => dims?.length !== 4)) return null;
  return (
    <Choice
      name={`${id}-layout`}
      label="Channels are"
      value={dataLayout}
      options={LAYOUT_NAMES}
      onChoice={(layout) => change({ dataLayout: layout })}
    />
  );
}
