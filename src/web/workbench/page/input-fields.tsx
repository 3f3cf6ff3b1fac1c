import type { ComponentChildren } from 'preact';
import { integer } from '../../../base/plural.js';
import type { ValueSummary } from '../../../mish/inspect.js';
import type { OpenedModel } from '../protocol.js';
import { IgnoredLabelField, LayoutChoice, ScaleField } from './array-changes.js';
import { DoubtNote } from './doubt-note.js';
import { FileField } from './file-field.js';
import { size } from './files.js';
import { Choice, NumberField, type Parts, ProblemNote, TextField } from './parts.js';
import {
  askedSizes,
  rgbProblem,
  type SizeNeeds,
  shapeProblem,
  sizeProblem,
  typedShape,
  typedSize,
  unshaped,
} from './shapes.js';
import { type Feed, takesBundled } from './state.js';

const KINDS: readonly (readonly [Feed['kind'], string])[] = [
  ['noise', 'Noise'],
  ['images', 'Images'],
  ['npz', 'An .npz'],
  ['bundled', 'Ours: 1,000 images of Fashion-MNIST'],
];

/** Properties of a group of fields; `id` starts the ids, since two rooms show the group. */
interface FieldGroup {
  readonly id: string;
  readonly feed: Feed;
  readonly change: (change: Partial<Feed>) => void;
}

/** Shows the choice of the models' inputs, with labels and shapes. The choice is that of all rooms. */
export function InputFields(
  props: Parts & {
    readonly id: string;
    readonly model: OpenedModel;
    /** Whether the model may run on noise; default true. A work without noise chooses how many samples go into a run. */
    readonly noise?: boolean;
    readonly children?: ComponentChildren;
  },
) {
  const { id, state, dispatch, actions, model, noise = true, children } = props;
  const { feed, problems } = state;
  const { inputs } = model.inspection;
  const change = (change: Partial<Feed>) => dispatch({ kind: 'feed', change });
  const group = { id, feed, change };
  const kinds = KINDS.filter(
    ([kind]) => (kind !== 'noise' || noise) && (kind !== 'bundled' || takesBundled(inputs)),
  );
  return (
    <>
      <Choice
        name={`${id}-feed`}
        label={noise ? 'Inputs' : 'Samples'}
        value={feed.kind}
        options={kinds}
        onChoice={(kind) => change({ kind })}
      />
      {feed.kind === 'npz' && (
        <>
          <LabelChoice {...group} inputs={inputs} />
          <LayoutChoice id={id} inputs={inputs} dataLayout={feed.dataLayout} change={change} />
        </>
      )}
      <div class="fields">
        {noise && feed.kind === 'noise' && <NoiseFields {...group} />}
        {feed.kind === 'npz' && (
          <>
            <ArrayField {...group} onFile={(file) => actions.giveArrays(file)} />
            <ScaleField id={id} scale={feed.scale} change={change} />
            <IgnoredLabelField id={id} chosen={feed} ignoreLabel={feed.ignoreLabel} change={change} />
          </>
        )}
        {feed.kind === 'images' && <ImageFields {...group} />}
        <ShapeFields {...group} inputs={inputs} ownRuns={!noise} />
        {children}
      </div>
      <DoubtNote doubt={state.doubt} mend={change} />
      <ProblemNote problem={problems.feed} />
    </>
  );
}

/** Shows the choice of the array with the labels, once the arrays are known. */
function LabelChoice({
  id,
  feed,
  change,
  inputs,
}: FieldGroup & { readonly inputs: readonly ValueSummary[] }) {
  const arrays = (feed.arrays ?? []).filter(({ name }) => inputs.every((input) => input.name !== name));
  if ((feed.arrays ?? []).length < 2 || arrays.length === 0) return null;
  return (
    <Choice
      name={`${id}-labels`}
      label="Labels are in"
      value={feed.labels}
      options={[
        ['', 'no array'],
        ...arrays.map(({ name, dims }) => [name, `${name} [${dims.join(', ')}]`] as const),
      ]}
      onChoice={(labels) => change({ labels })}
    />
  );
}

/** Shows a field for each size and shape that neither the model nor the samples have. */
function ShapeFields(
  props: FieldGroup & Pick<SizeNeeds, 'ownRuns'> & { readonly inputs: readonly ValueSummary[] },
) {
  const { id, feed, change, inputs, ownRuns } = props;
  const needs = { kind: feed.kind, ownRuns };
  return (
    <>
      {askedSizes(inputs, needs).map(({ symbol, isChosen }, index) => (
        <TextField
          key={symbol}
          id={`${id}-dim-${index}`}
          label={`Size of ${symbol}`}
          numeric
          value={typedSize(feed, symbol)}
          problem={sizeProblem(typedSize(feed, symbol), isChosen)}
          hint={isChosen ? 'chosen where empty' : undefined}
          onText={(text) => change({ dims: { ...feed.dims, [symbol]: text } })}
        />
      ))}
      {unshaped(inputs, needs).map(({ name, dims }, index) => (
        <TextField
          key={name}
          id={`${id}-shape-${index}`}
          label={`Shape of ${name}`}
          value={typedShape(feed, name)}
          hint={dims === undefined ? 'such as 1, 3, 224, 224' : dims.map((dim) => dim ?? '?').join(', ')}
          problem={typedShape(feed, name) === '' ? undefined : shapeProblem(typedShape(feed, name))}
          onText={(text) => change({ shapes: { ...feed.shapes, [name]: text } })}
        />
      ))}
    </>
  );
}

function NoiseFields({ id, feed, change }: FieldGroup) {
  return (
    <>
      <NumberField
        id={`${id}-seed`}
        label="Seed"
        value={feed.seed}
        least={0}
        most={2 ** 32 - 1}
        onNumber={(seed) => change({ seed })}
      />
      <NumberField
        id={`${id}-samples`}
        label="Samples"
        value={feed.runs}
        least={1}
        most={1000}
        onNumber={(runs) => change({ runs })}
      />
    </>
  );
}

function ArrayField({
  id,
  feed: { npz },
  onFile,
}: FieldGroup & { readonly onFile: (file: Feed['npz']) => unknown }) {
  const hint = npz === null ? 'an .npz, or an .npy for one input' : `${npz.name}, ${size(npz.blob.size)}`;
  return (
    <FileField
      id={`${id}-npz`}
      label="Arrays named as the inputs"
      hint={hint}
      accept=".npz,.npy"
      files={npz === null ? [] : [npz]}
      onFiles={([file = null]) => onFile(file)}
    />
  );
}

function ImageFields({ id, feed, change }: FieldGroup) {
  return (
    <>
      <FileField
        id={`${id}-images`}
        label="Images"
        hint={feed.images.length === 0 ? 'one or more' : `${integer(feed.images.length)} chosen`}
        accept="image/*"
        multiple
        files={feed.images}
        onFiles={(images) => change({ images })}
      />
      <TextField
        id={`${id}-mean`}
        label="Mean of pixels, 0 to 1"
        value={feed.mean}
        problem={rgbProblem(feed.mean)}
        onText={(mean) => change({ mean })}
      />
      <TextField
        id={`${id}-std`}
        label="Standard deviation"
        value={feed.std}
        problem={rgbProblem(feed.std)}
        onText={(std) => change({ std })}
      />
    </>
  );
}
