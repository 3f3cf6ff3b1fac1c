// The same small app for each bundler that the plugin is for.
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type Configuration, rspack as rspackCompiler } from '@rspack/core';
import * as esbuildModule from 'esbuild';
import { type RolldownWatcher, rolldown as rolldownBundler, watch as watchRolldown } from 'rolldown';
import { type RollupWatcher, rollup as rollupBundler, watch as watchRollup } from 'rollup';
import { createLogger, type InlineConfig, build as viteBuild } from 'vite';
import webpackCompiler from 'webpack';
import {
  esbuild,
  type MishOptions,
  rolldown,
  rollup,
  rspack,
  vite,
  webpack,
} from '../../src/bundler/index.js';
import { type Folder, tempFolder } from './folder.js';

export const BUNDLERS = ['vite', 'rollup', 'webpack', 'esbuild', 'rspack', 'rolldown'] as const;
export type Bundler = (typeof BUNDLERS)[number];

/** Where its pages are served. */
export const BASE = '/app/';

export interface App {
  readonly folder: Folder;
  readonly root: string;
  readonly outDir: string;
  readonly options: MishOptions;
}

/** An app with models of this repository beside its `main.js`, built to `dist`. */
export async function makeApp(
  main: string,
  models: readonly string[],
  options: MishOptions = {},
): Promise<App> {
  const folder = await tempFolder();
  const root = folder.at('my äpp');
  await mkdir(root);
  await writeFile(join(root, 'main.js'), main);
  await writeFile(
    join(root, 'index.html'),
    '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module" src="./main.js"></script>',
  );
  for (const name of models) await cp(new URL(`../../models/${name}`, import.meta.url), join(root, name));
  return { folder, root, outDir: folder.at('dist'), options: { cacheDir: folder.at('cache'), ...options } };
}

export interface Built {
  readonly warnings: readonly string[];
}

/** Builds an app; rejects when the build fails, with all that the bundler says. */
export const BUILD: Readonly<Record<Bundler, (app: App) => Promise<Built>>> = {
  async vite(app) {
    const warnings: string[] = [];
    await viteBuild(viteConfig(app, warnings));
    return { warnings };
  },
  async rollup(app) {
    const warnings: string[] = [];
    const bundle = await rollupBundler({
      ...rollupInput(app),
      onwarn: ({ message }) => warnings.push(message),
    });
    await bundle.write(rollupOutput(app));
    await bundle.close();
    await addPage(app);
    return { warnings };
  },
  async rolldown(app) {
    const warnings: string[] = [];
    const onLog = (_: string, { message }: { message: string }) => warnings.push(message);
    const bundle = await rolldownBundler({ ...rolldownInput(app), onLog });
    await bundle.write(rollupOutput(app));
    await bundle.close();
    await addPage(app);
    return { warnings };
  },
  async webpack(app) {
    const compiler = webpackCompiler({ ...webpackConfig(app), cache: persistent(app) });
    const stats = await new Promise<Stats>((resolve, reject) =>
      compiler.run((error, result) => (result ? resolve(result) : reject(error))),
    );
    await new Promise((resolve) => compiler.close(resolve));
    const built = judge(stats);
    await addPage(app);
    return built;
  },
  async rspack(app) {
    const compiler = rspackCompiler(rspackConfig(app));
    const stats = await new Promise<Stats>((resolve, reject) =>
      compiler.run((error, result) => (result ? resolve(result) : reject(error))),
    );
    await new Promise((resolve) => compiler.close(resolve));
    const built = judge(stats);
    await addPage(app);
    return built;
  },
  async esbuild(app) {
    const { warnings } = await esbuildModule.build(esbuildConfig(app));
    await addPage(app);
    return { warnings: warnings.map(({ text }) => text) };
  },
};

/** A build that is made again whenever something changes. */
export interface Watching {
  /**
   * Makes a change and resolves once `check` gives true, tried after every build. A watcher that has just built may not
   * listen yet (Rollup lets go of a file when it changes, and takes it up again later), so the change is made again
   * when nothing comes of it.
   */
  after(change: () => Promise<void>, check: () => Promise<boolean>): Promise<void>;
  close(): Promise<void>;
}

export const WATCH: Readonly<Record<Bundler, (app: App) => Promise<Watching>>> = {
  async vite(app) {
    const config = viteConfig(app, []);
    const watcher = await viteBuild({ ...config, build: { ...config.build, watch: {} } });
    return watching((done) => onBundle(watcher as RolldownWatcher, done));
  },
  rollup: async (app) =>
    watching((done) => onBundle(watchRollup({ ...rollupInput(app), output: rollupOutput(app) }), done)),
  rolldown: async (app) =>
    watching((done) => onBundle(watchRolldown({ ...rolldownInput(app), output: rollupOutput(app) }), done)),
  webpack: async (app) =>
    watching((done) => {
      const config = { ...webpackConfig(app), optimization: { minimize: false } }; // which takes longest
      const watch = webpackCompiler(config).watch({ aggregateTimeout: 5 }, done);
      return () => new Promise((resolve) => watch?.close(() => resolve()));
    }),
  rspack: async (app) =>
    watching((done) => {
      const watch = rspackCompiler(rspackConfig(app)).watch({ aggregateTimeout: 5 }, done);
      return () => new Promise((resolve) => watch?.close(() => resolve()));
    }),
  async esbuild(app) {
    const config = esbuildConfig(app);
    let tell = () => {};
    const context = await esbuildModule.context({
      ...config,
      plugins: [...config.plugins, { name: 'tell', setup: (build) => build.onEnd(() => tell()) }],
    });
    const result = watching((done) => {
      tell = done;
      return () => context.dispose();
    });
    await context.watch();
    return result;
  },
};

function watching(start: (done: () => void) => () => Promise<void>): Watching {
  let wake = () => {};
  let next = Promise.resolve();
  const renew = () => {
    next = new Promise((resolve) => {
      wake = resolve;
    });
  };
  renew();
  const close = start(() => {
    wake();
    renew();
  });
  return {
    async after(change, check) {
      do {
        const built = next; // before the change, so that no build is missed
        await change();
        await Promise.race([built, setTimeout(1000)]);
      } while (!(await check()));
    },
    close,
  };
}

function onBundle(watcher: RollupWatcher | RolldownWatcher, done: () => void): () => Promise<void> {
  watcher.on('event', (event: { code: string; result?: { close(): Promise<void> } | null }) => {
    if (event.code === 'BUNDLE_END' || event.code === 'ERROR') event.result?.close();
    if (event.code === 'END') done();
  });
  return () => watcher.close();
}

interface Stats {
  hasErrors(): boolean;
  toJson(options: { all: false; errors: true; warnings: true }): {
    errors?: readonly { message: string }[];
    warnings?: readonly { message: string }[];
  };
}

function judge(stats: Stats): Built {
  const { errors = [], warnings = [] } = stats.toJson({ all: false, errors: true, warnings: true });
  if (stats.hasErrors()) throw new Error(errors.map(({ message }) => message).join('\n'));
  return { warnings: warnings.map(({ message }) => message) };
}

/** Bundlers other than Vite leave the page to the app. */
async function addPage({ root, outDir }: App): Promise<void> {
  await writeFile(join(outDir, 'index.html'), await readFile(join(root, 'index.html')));
}

export function viteConfig({ root, outDir, options }: App, warnings: string[]): InlineConfig {
  const logger = createLogger('silent');
  const customLogger = { ...logger, warn: (text: string) => void warnings.push(text) };
  return {
    root,
    base: BASE,
    configFile: false,
    logLevel: 'warn',
    customLogger,
    plugins: [vite(options)],
    build: { outDir, emptyOutDir: true, reportCompressedSize: false },
  };
}

const rollupInput = ({ root, options }: App) => ({
  input: join(root, 'main.js'),
  plugins: [rollup(options)],
});
const rolldownInput = ({ root, options }: App) => ({
  input: join(root, 'main.js'),
  plugins: [rolldown(options)],
});
const rollupOutput = ({ outDir }: App) => ({ dir: outDir, format: 'es' as const });

/** With a rule for models of the app's own, as an app has that imports models without this plugin. */
const webpackLike = ({ root, outDir }: App) => ({
  mode: 'production' as const,
  context: root,
  entry: './main.js',
  output: { path: outDir, filename: 'main.js' },
  module: { rules: [{ test: /\.onnx$/, type: 'asset/resource' as const }] },
  performance: { hints: false as const },
});
/** Webpack keeps what loaders gave from one run to the next. */
const persistent = ({ folder }: App) => ({
  type: 'filesystem' as const,
  cacheDirectory: folder.at('webpack'),
});
const webpackConfig = (app: App) => ({ ...webpackLike(app), plugins: [webpack(app.options)] });
const rspackConfig = (app: App): Configuration => ({ ...webpackLike(app), plugins: [rspack(app.options)] });

const esbuildConfig = ({ root, outDir, options }: App) => ({
  entryPoints: [join(root, 'main.js')],
  outdir: outDir,
  publicPath: BASE,
  bundle: true,
  format: 'esm' as const,
  logLevel: 'silent' as const,
  plugins: [esbuild(options)],
});
