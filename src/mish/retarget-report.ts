import type { FixedNode } from './fix-report.js';
import type { FormName } from './forms.js';
import type { NoteOptions } from './notes.js';
import type { SiteReport, SkipReport } from './results.js';
import type { FormOptions } from './swap.js';

export interface RetargetOptions extends FormOptions {
  /** Store the undo record in the model; true by default. */
  readonly undo?: boolean | undefined;
  /** Rewrite the nodes that WebGL computes wrong, as the function `fix` does. True by default for the target webgl. */
  readonly fix?: boolean | undefined;
  /** Keep the function of approximate forms, in operators that the target has; true by default unless `form` names a form. */
  readonly keepApproximate?: boolean | undefined;
  /** @deprecated Alias of `fix`. */
  readonly fixRelu?: boolean | undefined;
}

/** Result of a retarget. */
export interface RetargetReport {
  readonly form: FormName;
  /** For an approximate form: the largest difference of a rewritten site from Mish, or from the mixture. */
  readonly bound?: number;
  /** The rewritten sites; `kind` is the previous form. */
  readonly sites: readonly SiteReport[];
  /** Mish that keeps its form, with the reasons. */
  readonly skipped: readonly SkipReport[];
  /** Activations other than Mish, rewritten because the target lacks their operator. */
  readonly others: readonly SiteReport[];
  /** Nodes rewritten so that WebGL computes them right. */
  readonly fixes: readonly FixedNode[];
  /** Number of sites that already had the form, or keep their approximate form. */
  readonly unchanged: number;
  /** Number of sites that stay approximate, rewritten or not; absent for 0. */
  readonly approximate?: number;
  readonly notes: readonly string[];
  /** The options that notes advise; the key is the note. */
  readonly noteOptions?: Readonly<NoteOptions>;
  /** Sizes in bytes. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}
