import type { FloatType } from '../onnx/types.js';
import { FORM_FOR, type Form, type Target } from './forms.js';

/** One line for each way in which a form is slow or cannot run, with the target that helps. */
export function notesOn(form: Form, types: ReadonlySet<FloatType | undefined>): string[] {
  if (types.size === 0) return [];
  const notes: string[] = [];
  const told = new Set<Target>();
  for (const { on, type, says } of form.limits) {
    if (type !== undefined && !types.has(type)) continue;
    const open = on.filter((target) => !told.has(target));
    const [first] = open;
    if (first === undefined) continue;
    for (const target of open) told.add(target);
    notes.push(`${open.join(' and ')}: ${says}; --target ${first} writes the ${FORM_FOR[first]} form`);
  }
  return notes;
}
