import { inWords } from '../../../base/in-words.js';
import { plural } from '../../../base/plural.js';
import type { NamedFile } from '../protocol.js';
import { useDroppedFiles } from './dropped-files.js';
import { FileDrop } from './file-drop.js';
import { size } from './files.js';
import { PROVIDER_NAMES, ProblemNote } from './parts.js';
import type { RoomProps } from './room-props.js';
import { BUNDLED_MODELS, type BundledModel } from './served-models.js';
import type { Feed } from './state.js';

const PAPER = 'https://arxiv.org/abs/1908.08681';

/** Pages of the documentation that the page brings along, with their titles. */
const GUIDES = [
  ['is-mish-better', 'Is Mish better for my model?'],
  ['what-it-costs', 'What it costs'],
  ['guide-swap', 'Swap activations'],
  ['guide-accuracy', 'Keep the accuracy'],
  ['guide-workbench', 'The workbench'],
] as const;

/** Shows the file input; files can be dropped anywhere on the page. */
export function OpenSection({ state, dispatch, actions, active }: RoomProps) {
  const take = async (files: readonly NamedFile[]) => {
    const problem = await actions.take(files);
    if (problem !== undefined) dispatch({ kind: 'problem', place: 'open', problem });
  };
  const over = useDroppedFiles(active, take);
  const missing = state.model?.missing ?? [];
  const title = state.model === null ? 'Drop a model here, or choose a file' : 'Another model, or samples';
  return (
    <section aria-label="Open a model">
      {state.model === null && (
        <p class="lead">
          Mish is smooth where ReLU has a kink, and <a href={PAPER}>its paper</a> found networks that train to
          a higher accuracy with it. Put it into your trained ONNX model here, and measure what that does to
          its outputs, its accuracy and its time on this browser’s {inWords(Object.values(PROVIDER_NAMES))}.
        </p>
      )}
      <FileDrop
        id="files"
        over={over}
        title={state.opening === null ? title : `Reading ${state.opening} …`}
        onFiles={take}
      >
        {missing.length > 0
          ? `To run the model, give its weights as well: ${missing.join(', ')}`
          : 'an .onnx file, with its external data files if it has any; an .npz or images to run it on'}
      </FileDrop>
      <GivenSamples feed={state.feed} />
      {state.model === null && (
        <div class="bar">
          <span class="quiet">Or begin with one of ours:</span>
          {(Object.keys(BUNDLED_MODELS) as BundledModel[]).map((name) => (
            <button
              key={name}
              type="button"
              disabled={state.opening !== null}
              onClick={() => actions.takeBundled(name)}
            >
              {BUNDLED_MODELS[name]}
            </button>
          ))}
        </div>
      )}
      <ProblemNote problem={state.problems.open} />
      {state.model === null && (
        <ul class="guides" aria-label="Guides">
          {GUIDES.map(([page, title]) => (
            <li key={page}>
              <a href={`docs/${page}.html`}>{title}</a>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** Names the given samples. Their fields are further down, or appear with a model. */
function GivenSamples({ feed: { kind, npz, images } }: { readonly feed: Feed }) {
  if (kind === 'npz' && npz !== null)
    return <p class="quiet">{`Samples to run it on: ${npz.name}, ${size(npz.blob.size)}`}</p>;
  if (kind === 'images' && images.length > 0)
    return <p class="quiet">{`Samples to run it on: ${plural(images.length, 'image')}`}</p>;
  return null;
}
