import { plural } from '../../../base/plural.js';
import { REPLACEMENTS } from '../../../mish/activation-kinds.js';
import { ACTIVATIONS } from '../../../mish/activations.js';
import { cpuCostText } from '../../../mish/costs.js';
import { FORMS, type FormName } from '../../../mish/forms.js';
import type { OpenedModel } from '../protocol.js';
import { DownloadLink } from './download-link.js';
import { size } from './files.js';
import { NoteList } from './note-list.js';
import { Choice, type Parts, ProblemNote } from './parts.js';
import { WorkButton } from './work-bar.js';

/** The forms: the exact form for CPUs first, then the other exact forms, then the approximate forms with their bounds. */
const FORM_CHOICES = (['exp', 'softplus', 'native', 'tanh', 'sigmoid', 'hard'] as const).map((form) => {
  const { bound } = FORMS[form];
  return [form, bound === undefined ? form : `${form}, within ${bound}`] as const;
});

/** Shows the activation to write, its form, the swap button and the download. */
export function SwapSection({ state, dispatch, actions, model }: Parts & { readonly model: OpenedModel }) {
  const { to, listing, chosen, swapped, swapping, run } = state;
  const { sites, externalData } = model.inspection;
  const running = run?.ended === 'no';
  return (
    <section class="card" aria-labelledby="swap-title">
      <h2 id="swap-title">Swap</h2>
      <Choice
        name="to"
        label="New activation"
        value={listing ?? to ?? 'mish'}
        options={REPLACEMENTS.map((name) => [name, ACTIVATIONS[name].label] as const)}
        onChoice={(name) => actions.write(name === 'mish' ? undefined : name)}
      />
      {to === undefined ? (
        <MishChoices state={state} dispatch={dispatch} sites={sites} />
      ) : (
        <p class="quiet">
          {`Operators: ${ACTIVATIONS[to].forms[0]?.summary}, or others where the model’s opset lacks them. LeakyReLU, ReLU and Mish become ${ACTIVATIONS[to].label}, except for ${ACTIVATIONS[to].label} itself.`}
        </p>
      )}
      <div class="bar">
        <WorkButton
          main
          off={chosen.size === 0 || swapping || running || listing !== null}
          onPress={() => actions.swap()}
        >
          {swapping ? 'Swapping …' : `Swap ${plural(chosen.size, 'site')}`}
        </WorkButton>
        {swapped !== null && <DownloadLink id="download" name={swapped.name} blob={swapped.blob} />}
      </div>
      <ProblemNote problem={state.problems.swap} />
      {swapped !== null && (
        <div class="done">
          <p>
            {`${plural(swapped.report.sites.length, 'site')} ${to === undefined ? `in the form ${swapped.report.form}` : `→ ${ACTIVATIONS[to].label}`}; `}
            {`${size(swapped.report.bytesIn)} → ${size(swapped.report.bytesOut)}. All other bytes are unchanged.`}
          </p>
          {externalData.length > 0 && <p>Keep {externalData.join(', ')} beside it.</p>}
          <NoteList
            notes={swapped.report.notes.map((text) => ({ text, option: swapped.report.noteOptions?.[text] }))}
          />
        </div>
      )}
    </section>
  );
}

/** Says what a form costs, and how to measure it. */
function costText(form: FormName): string {
  const cost = cpuCostText(form);
  return cost === undefined
    ? '“Run both” measures the time of a run.'
    : `A run takes ${cost}; “Run both” measures yours.`;
}

/** Shows the form of Mish, and what LeakyReLU becomes. */
function MishChoices({
  state: { form, leaky },
  dispatch,
  sites,
}: Pick<Parts, 'state' | 'dispatch'> & Pick<OpenedModel['inspection'], 'sites'>) {
  return (
    <>
      <Choice
        name="form"
        label="Form of Mish"
        value={form}
        options={FORM_CHOICES}
        onChoice={(form) => dispatch({ kind: 'choose', change: { form } })}
      />
      <p class="quiet">{`${FORMS[form].summary}. ${costText(form)}`}</p>
      {sites.some(({ kind }) => kind === 'leakyrelu') && (
        <Choice
          name="leaky"
          label="LeakyReLU of slope α becomes"
          value={leaky}
          options={[
            ['mish', 'Mish'],
            ['mixture', 'αx + (1 − α) · Mish'],
          ]}
          onChoice={(leaky) => dispatch({ kind: 'choose', change: { leaky } })}
        />
      )}
    </>
  );
}
