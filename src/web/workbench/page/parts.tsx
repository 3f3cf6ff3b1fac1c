// Components that several sections use.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { WEB } from '../../../providers/web-providers.js';
import { PAGE_PROVIDERS, type PageProvider, type Problem } from '../protocol.js';
import type { Actions } from './actions.js';
import type { Action, State } from './state.js';

/** Display names of the page's providers. */
export const PROVIDER_NAMES = Object.fromEntries(
  PAGE_PROVIDERS.map((name) => [name, WEB[name].label]),
) as Readonly<Record<PageProvider, string>>;

/** Properties of a section. */
export interface Parts {
  readonly state: State;
  readonly dispatch: (action: Action) => void;
  readonly actions: Actions;
}

/** Shows a problem: what went wrong, where, and advice. */
export function ProblemNote({ problem }: { readonly problem: Problem | undefined }) {
  if (problem === undefined) return null;
  const { what, where, fix } = problem;
  return (
    <p class={where === undefined ? 'problem sentence' : 'problem'} role="alert">
      <strong>{sentence(where === undefined ? what : `${where}: ${what}`)}</strong>
      {fix !== undefined && ` ${sentence(fix)}`}
    </p>
  );
}

const sentence = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`);

/** Shows a field with its label above and its error below. */
export function LabelledField(props: {
  readonly id: string;
  readonly label: string;
  readonly problem?: string | undefined;
  readonly hint?: string | undefined;
  readonly children: ComponentChildren;
}) {
  const { id, label, problem, hint, children } = props;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children}
      {hint !== undefined && problem === undefined && <small id={`${id}-note`}>{hint}</small>}
      {problem !== undefined && (
        <small id={`${id}-note`} class="wrong">
          {sentence(problem)}
        </small>
      )}
    </div>
  );
}

/** Shows a text or number field. */
export function TextField(props: {
  readonly id: string;
  readonly label: string;
  readonly value: string;
  readonly onText: (text: string) => void;
  readonly numeric?: boolean;
  readonly problem?: string | undefined;
  readonly hint?: string | undefined;
}) {
  const { id, label, value, onText, numeric = false, problem, hint } = props;
  return (
    <LabelledField id={id} label={label} problem={problem} hint={hint}>
      <input
        id={id}
        type="text"
        inputMode={numeric ? 'numeric' : 'text'}
        autocomplete="off"
        spellcheck={false}
        value={value}
        aria-invalid={problem !== undefined}
        aria-describedby={problem === undefined && hint === undefined ? undefined : `${id}-note`}
        onInput={({ currentTarget }) => onText(currentTarget.value)}
      />
    </LabelledField>
  );
}

/** Shows a field for a whole number. */
export function NumberField(props: {
  readonly id: string;
  readonly label: string;
  readonly value: number;
  readonly least: number;
  readonly most: number;
  readonly onNumber: (value: number) => void;
}) {
  const { id, label, value, least, most, onNumber } = props;
  // Typed text is kept until it is complete: a number is checked when the field is left.
  const [typed, setTyped] = useState<string>();
  return (
    <LabelledField id={id} label={label}>
      <input
        id={id}
        type="number"
        min={least}
        max={most}
        step={1}
        value={typed ?? value}
        onInput={({ currentTarget }) => setTyped(currentTarget.value)}
        onChange={({ currentTarget }) => {
          const given = Math.round(currentTarget.valueAsNumber);
          const kept = Number.isFinite(given) ? Math.min(most, Math.max(least, given)) : value;
          currentTarget.value = String(kept);
          setTyped(undefined);
          onNumber(kept);
        }}
      />
    </LabelledField>
  );
}

/** Shows a choice between a few values as a row of buttons. */
export function Choice<T extends string>(props: {
  readonly name: string;
  readonly label: string;
  readonly value: T;
  readonly options: readonly (readonly [value: T, label: string])[];
  readonly onChoice: (value: T) => void;
}) {
  const { name, label, value, options, onChoice } = props;
  return (
    <fieldset class="choice">
      <legend>{label}</legend>
      <div>
        {options.map(([option, text]) => (
          <label key={option}>
            <input
              type="radio"
              name={name}
              value={option}
              checked={option === value}
              onChange={() => onChoice(option)}
            />
            <span>{text}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** Shows a table that scrolls inside its box. */
export function TableBox({
  label,
  children,
}: {
  readonly label: string;
  readonly children: ComponentChildren;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard has to reach a box that scrolls
    <section class="table-box" tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
