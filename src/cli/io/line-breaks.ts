// File names with line breaks, which ** of the glob library does not match: its regular expressions have a plain dot.
import { type Dirent, readdir, realpath, type Stats, stat } from 'node:fs';

/** Characters that a dot does not match, and private ones in their place. */
const BREAKS = ['\n', '\r', '\u2028', '\u2029'];
const FIRST_PRIVATE = 0xf8f0;

const privateOf = (at: number) => String.fromCharCode(FIRST_PRIVATE + at);

/** Replaces line breaks in a path or a pattern. */
export const withoutBreaks = (text: string): string =>
  BREAKS.reduce((all, character, at) => all.replaceAll(character, privateOf(at)), text);

/** Puts the line breaks back. */
export const withBreaks = (text: string): string =>
  BREAKS.reduce((all, character, at) => all.replaceAll(privateOf(at), character), text);

type Done<T> = (error: NodeJS.ErrnoException | null, result: T) => void;

/** The functions of `node:fs` that the glob library calls, on names without line breaks. */
export const FILES_WITHOUT_BREAKS = {
  readdir: ((path: string, options: { withFileTypes: true }, done: Done<Dirent[]>) =>
    readdir(withBreaks(path), options, (error, entries) =>
      done(error, error === null ? entries.map(renamed) : []),
    )) as unknown as typeof readdir,
  realpath: ((path: string, done: Done<string>) =>
    realpath(withBreaks(path), (error, found) =>
      done(error, error === null ? withoutBreaks(found) : ''),
    )) as unknown as typeof realpath,
  stat: ((path: string, done: Done<Stats>) => stat(withBreaks(path), done)) as unknown as typeof stat,
};

/** Returns an entry under a name without line breaks. */
function renamed(entry: Dirent): Dirent {
  const name = withoutBreaks(entry.name);
  return name === entry.name ? entry : Object.create(entry, { name: { value: name } });
}
