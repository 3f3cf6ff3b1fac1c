// Makes kept-sites.json: how many sites each model has before a change of what an activation is, and after it, and each site that
// is lost, with its reason.
//   node test/mish/kept-sites.js BEFORE AFTER FOLDER... > test/mish/kept-sites.json
// BEFORE and AFTER are builds of this package (the folder with index.js); FOLDER holds models, directly or below. The models of
// torchvision and timm come from kept-sites.py.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [before, after, ...folders] = process.argv.slice(2);
const load = async (folder) => (await import(pathToFileURL(resolve(folder, 'index.js')).href)).inspect;
const [was, is] = [await load(before), await load(after)];

const files = folders
  .flatMap((folder) =>
    readdirSync(folder, { recursive: true })
      .filter((name) => name.endsWith('.onnx'))
      .map((name) => join(folder, name)),
  )
  .sort((a, b) => (basename(a) < basename(b) ? -1 : 1));
const key = ({ scope, output }) => `${scope}\0${output}`;
const lines = [];
let lost = 0;
for (const file of files) {
  const bytes = new Uint8Array(readFileSync(file));
  const [old, now] = [await was(bytes).catch(() => undefined), await is(bytes).catch(() => undefined)];
  if (old === undefined || now === undefined) continue;
  const kept = new Set(now.sites.map(key));
  const gone = new Set(old.sites.map(key).filter((site) => !kept.has(site)));
  lost += gone.size;
  const reasons = now.skipped
    .filter((site) => gone.has(key(site)))
    .map(({ output, reason, why }) => ({ output, reason, why }));
  const doubts = now.sites
    .filter(({ doubt }) => doubt !== undefined)
    .map(({ output, doubt }) => ({ output, doubt }));
  const entry = {
    ...{ before: old.sites.length, after: now.sites.length },
    ...(gone.size > 0 ? { lost: reasons } : {}),
    ...(doubts.length > 0 ? { doubts } : {}),
  };
  lines.push(`    ${JSON.stringify(basename(file))}: ${JSON.stringify(entry)}`);
}
console.log(`{\n  "lost": ${lost},\n  "models": {\n${lines.join(',\n')}\n  }\n}`);
