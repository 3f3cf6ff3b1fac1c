import { capitalised } from '../../../base/in-words.js';
import { plural } from '../../../base/plural.js';
import type { ValueSummary } from '../../../mish/inspect.js';
import { IgnoredLabelField, LayoutChoice, ScaleField } from '../page/array-changes.js';
import { DoubtNote } from '../page/doubt-note.js';
import { FileDrop, takeFiles } from '../page/file-drop.js';
import { FileField } from '../page/file-field.js';
import { size } from '../page/files.js';
import { Choice, ProblemNote, TextField } from '../page/parts.js';
import { rgbProblem } from '../page/shapes.js';
import type { State } from '../page/state.js';
import { WorkButton } from '../page/work-bar.js';
import type { FinetuneParts } from './finetune-parts.js';
import type { GivenSamples, Settings } from './finetune-state.js';

/** Shows the fields for the model and the labelled samples; files can be dropped anywhere on the page. */
export function FinetuneSamples(props: FinetuneParts & { readonly page: State; readonly over: boolean }) {
  const { finetune, dispatch, actions, page, over } = props;
  const { samples, problems, training } = finetune;
  return (
    <section class="card" aria-labelledby="samples-title">
      <h2 id="samples-title">Model and samples</h2>
      <FileDrop
        id="finetune-files"
        over={over}
        title="Drop a model and labelled samples here, or choose files"
        onFiles={(files) => actions.give(files)}
      >
        an .onnx file; an .npz with the inputs and the labels, or a folder with a subfolder of images for each
        class
      </FileDrop>
      <div class="bar">
        <label class="file-button">
          <input
            id="finetune-folder"
            type="file"
            ref={(input) => input?.setAttribute('webkitdirectory', '')}
            onChange={({ currentTarget }) => actions.give(takeFiles(currentTarget))}
          />
          Choose a folder of images
        </label>
        <WorkButton
          off={training?.ended === 'no' || page.opening !== null}
          onPress={() => actions.tryBundled()}
        >
          Try it: LeNet-5 on 1,000 images that come with the page
        </WorkButton>
      </div>
      <dl class="facts">
        <div>
          <dt>Model</dt>
          <dd>{page.model === null ? 'none yet' : page.model.name}</dd>
        </div>
        <div>
          <dt>Samples</dt>
          <dd>{samples === null ? 'none yet' : samplesText(samples)}</dd>
        </div>
      </dl>
      {samples?.kind === 'npz' && (
        <ArrayFields {...props} inputs={page.model?.inspection.inputs ?? []} samples={samples} />
      )}
      {samples?.kind === 'images' && <ImageFields {...props} />}
      <DoubtNote doubt={finetune.doubt} mend={(change) => dispatch({ kind: 'settings', change })} />
      <ProblemNote problem={page.problems.open} />
      <ProblemNote problem={problems.samples} />
    </section>
  );
}

function samplesText(samples: GivenSamples): string {
  if (samples.kind === 'bundled')
    return '1,000 test images of Fashion-MNIST (MIT licence): 720 train, 80 validate, 200 test';
  if (samples.kind === 'images') return plural(samples.files.length, 'image');
  const { file, arrays } = samples;
  if (arrays === undefined) return `${file.name}, ${size(file.blob.size)}`;
  return `${file.name}: ${arrays.map(({ name, dims }) => `${name} [${dims.join(', ')}]`).join(', ')}`;
}

/** Shows the choice of the labels, and of a file for the test. */
function ArrayFields({
  finetune: { settings },
  samples,
  inputs,
  dispatch,
}: FinetuneParts & {
  readonly samples: GivenSamples & { readonly kind: 'npz' };
  readonly inputs: readonly ValueSummary[];
}) {
  const change = (change: Partial<Settings>) => dispatch({ kind: 'settings', change });
  const { arrays = [], labels, test } = samples;
  const lacks =
    arrays.length === 1
      ? 'the file has one array of numbers, and so no labels: add them as a second array'
      : labels === '' && arrays.length > 0
        ? 'Choose the array with the class numbers'
        : undefined;
  return (
    <>
      {arrays.length > 1 && (
        <Choice
          name="labels"
          label="Labels are in"
          value={labels}
          options={arrays.map(({ name, dims }) => [name, `${name} [${dims.join(', ')}]`] as const)}
          onChoice={(name) => dispatch({ kind: 'labels', labels: name })}
        />
      )}
      {lacks !== undefined && (
        <p class="problem" role="alert">
          <strong>{`${capitalised(lacks)}.`}</strong>
        </p>
      )}
      <LayoutChoice id="finetune" inputs={inputs} dataLayout={settings.dataLayout} change={change} />
      <div class="fields">
        <ScaleField id="finetune" scale={settings.scale} change={change} />
        <IgnoredLabelField
          id="finetune"
          chosen={samples}
          ignoreLabel={settings.ignoreLabel}
          change={change}
        />
        <FileField
          id="finetune-test"
          label="Samples for the test"
          hint={
            test === null
              ? 'an .npz of samples that the model has never seen; without it, a tenth of the samples'
              : `${test.name}, ${size(test.blob.size)}`
          }
          accept=".npz"
          files={test === null ? [] : [test]}
          onFiles={([file = null]) => dispatch({ kind: 'test', test: file })}
        />
      </div>
    </>
  );
}

/** Shows the normalisation of images. */
function ImageFields({ finetune: { settings }, dispatch }: FinetuneParts) {
  const field = (name: 'mean' | 'std', label: string) => (
    <TextField
      id={`finetune-${name}`}
      label={label}
      value={settings[name]}
      problem={rgbProblem(settings[name])}
      onText={(text) => dispatch({ kind: 'settings', change: { [name]: text } })}
    />
  );
  return (
    <div class="fields">
      {field('mean', 'Mean of pixels, 0 to 1')}
      {field('std', 'Standard deviation')}
    </div>
  );
}
