/** Returns the browser's name and version, in the notation of the command line's reports: `Chromium 147.0.0.0`. */
export function browserName(agent = navigator.userAgent): string {
  const known = [
    ['Edge', /Edg\/([\d.]+)/],
    ['Firefox', /Firefox\/([\d.]+)/],
    ['Chromium', /Chrome\/([\d.]+)/],
    ['Safari', /Version\/([\d.]+).*Safari/],
  ] as const;
  for (const [name, pattern] of known) {
    const [, version] = pattern.exec(agent) ?? [];
    if (version !== undefined) return `${name} ${version}`;
  }
  return 'unknown browser';
}
