// The buttons that start and stop a work.
import type { ComponentChildren, Ref } from 'preact';
import { useRef } from 'preact/hooks';

/** Shows a button that keeps the focus of the keyboard while it is off, so that the reason is read and no place is lost. */
export function WorkButton(props: {
  readonly off: boolean;
  readonly onPress: () => void;
  readonly main?: boolean;
  /** Id of the text that says why the button is off. */
  readonly why?: string | undefined;
  readonly place?: Ref<HTMLButtonElement>;
  readonly children: ComponentChildren;
}) {
  const { off, onPress, main = false, why, place = null, children } = props;
  return (
    <button
      type="button"
      ref={place}
      class={main ? 'main' : undefined}
      aria-disabled={off}
      aria-describedby={why}
      onClick={() => {
        if (!off) onPress();
      }}
    >
      {children}
    </button>
  );
}

/** Shows the buttons that start a work, the one that stops it, and after a stop the one that goes on. */
export function WorkBar(props: {
  readonly running: boolean;
  readonly onStop: () => void;
  /** How a stopped work goes on; undefined for a work that was not stopped. */
  readonly resume?: { readonly off: boolean; readonly onPress: () => void } | undefined;
  readonly children: ComponentChildren;
}) {
  const { running, onStop, resume, children } = props;
  const stop = useRef<HTMLButtonElement>(null);
  return (
    <div class="bar">
      {children}
      <WorkButton off={!running} onPress={onStop} place={stop}>
        Stop
      </WorkButton>
      {resume !== undefined && (
        <WorkButton
          off={resume.off}
          onPress={() => {
            stop.current?.focus(); // this button goes away
            resume.onPress();
          }}
        >
          Go on
        </WorkButton>
      )}
    </div>
  );
}
