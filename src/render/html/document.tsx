import type { ComponentChildren } from 'preact';
import { renderToStringAsync } from 'preact-render-to-string';
import { sha256Bytes } from '../../base/sha256.js';
import { short } from '../figures.js';
import { Raw } from './parts.js';
import { SCRIPT, STYLE } from './style.js';

/** Returns a whole HTML document. Its policy allows only the page's script and style. `more` is appended to the script. */
export async function htmlDocument(title: string, body: ComponentChildren, more = ''): Promise<string> {
  const script = SCRIPT + more;
  const digest = await sha256Bytes(new TextEncoder().encode(script));
  const policy = [
    "default-src 'none'",
    "style-src 'unsafe-inline'",
    'img-src data:',
    `script-src 'sha256-${btoa(String.fromCharCode(...digest))}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const page = (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content={policy} />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{short(title, 120)}</title>
        <Raw tag="style" text={STYLE} />
      </head>
      <body>
        <main>{body}</main>
        <Raw tag="script" text={script} />
      </body>
    </html>
  );
  return `<!doctype html>\n${await renderToStringAsync(page)}\n`;
}
