import type { ValueSummary } from '../../../mish/inspect.js';
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
