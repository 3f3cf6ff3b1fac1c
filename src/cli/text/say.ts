import { OnnxMishError } from '../../base/error.js';
import { print, printError } from './stdout.js';
import { clean, cleanJson } from './text.js';

let isGiven = false;
/** Whether the JSON document of --json is printed. There is only one, also if an error follows. */
let isTold = false;
let isQuiet = false;
let onOneLine = false;

/** Resets this module for another command in the same process: text goes to standard output, JSON has several lines. */
export function renewWords(): void {
  isGiven = false;
  isTold = false;
  isQuiet = false;
  onOneLine = false;
}

/** Prints no further text, note or progress; JSON documents and errors stay. */
export function beQuiet(): void {
  isQuiet = true;
}

/** Returns whether the command was told to be quiet. */
export const isSilent = (): boolean => isQuiet;

/** Sends all further text to standard error, because a report goes to standard output. */
export function giveStandardOutputToText(): void {
  isGiven = true;
}

/** Sends all further text to standard error, because a model goes to standard output. Throws `bad-usage` on a terminal. */
export function giveStandardOutput(): void {
  isGiven = true;
  if (!process.stdout.isTTY) return;
  throw new OnnxMishError('bad-usage', 'a model is binary, and standard output is a terminal', {
    fix: 'Redirect standard output, or name a file with -o',
  });
}

/** Prints each further JSON document on a single line, since there may be many. */
export function lineEach(): void {
  onOneLine = true;
}

/** Prints text to standard output, or to standard error if a model or report goes to standard output. */
export function say(text: string): void {
  if (!isQuiet) output(text);
}

function output(text: string): void {
  if (isGiven) printError(`${text}\n`);
  else print(`${text}\n`);
}

/** Prints a note about the results to standard error. */
export function sayNote(text: string): void {
  if (!isQuiet) printError(`note: ${clean(text)}\n`);
}

/** Formats a JSON document as --json prints it. */
export function jsonText(document: unknown): string {
  return cleanJson(onOneLine ? JSON.stringify(document) : JSON.stringify(document, null, 2));
}

/** Prints a JSON document of --json. */
export function sayJson(document: unknown): void {
  isTold = true;
  output(jsonText(document));
}

/** Prints an error as the JSON document of --json, except after the document of the result. */
export function sayErrorJson(error: unknown): void {
  if (!isTold || onOneLine) sayJson({ error });
}
