/** Matches a name that means a drive, a stream or a device on Windows, that has a character which no name has there, or whose end Windows drops. */
const INVALID = /[:*?"<>|]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/** Returns whether Windows opens the file that this relative path names. `.` and `..` are steps, and no names. */
export function isWindowsPath(path: string): boolean {
  return path.split(/[\\/]/).every((part) => part === '.' || part === '..' || !INVALID.test(part));
}
