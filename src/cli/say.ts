import { OnnxMishError } from '../onnx/error.js';

let carriesModel = false;

/** From here on standard output carries a model, and words go to standard error. Throws `bad-usage` on a terminal. */
export function giveStandardOutput(): void {
  carriesModel = true;
  if (!process.stdout.isTTY) return;
  throw new OnnxMishError('bad-usage', 'a model is binary, and standard output is a terminal', {
    fix: 'Redirect it, or name a file with -o',
  });
}

/** Prints what the command has to say. */
export function say(text: string): void {
  if (carriesModel) console.error(text);
  else console.log(text);
}

/** Prints the one JSON document of --json. */
export function sayJson(document: unknown): void {
  say(JSON.stringify(document, null, 2));
}
