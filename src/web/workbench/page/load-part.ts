/**
 * Loads code of the page. Asks for the page first: a browser that could not load a module does not try that module again before the
 * page is reloaded.
 */
export async function loadPart<T>(load: () => Promise<T>): Promise<T> {
  await fetch(location.href);
  return load();
}
