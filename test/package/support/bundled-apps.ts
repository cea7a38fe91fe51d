import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join, resolve } from 'node:path';
import { build as esbuild } from 'esbuild';
import { build as viteBuild, createServer as viteServer } from 'vite';
import webpack from 'webpack';

/** Answers a request for a file of an app, and says whether it did. */
export type ServeApp = (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;

export interface BundledApp {
  readonly serve: ServeApp;
  close(): Promise<void>;
}

/** How the app's code makes its worker: as documented in `docs/guides/shared-worker.md`. Left out: the library's default. */
export type OwnWorker = 'named' | 'own file' | 'copied' | undefined;

const options = "{ type: 'module', name: 'tokenkeep:1', extendedLifetime: true }";
const ownWorkers = {
  named: `() => new SharedWorker(new URL('tokenkeep/worker', import.meta.url), ${options})`,
  'own file': `() => new SharedWorker(new URL('./token-worker.js', import.meta.url), ${options})`,
  copied: `() => new SharedWorker('/static/tokenkeep-worker.js', ${options})`,
} as const;

/** The sources of a small app in a folder of its own, below the project that the tarball is installed in. */
export function writeApp(consumer: string, ownWorker: OwnWorker): string {
  const folder = mkdtempSync(join(consumer, 'app-'));
  writeFileSync(
    join(folder, 'app.js'),
    `import { createSession } from 'tokenkeep/browser';
const config = JSON.parse(document.querySelector('meta[name=config]').content);
const session = createSession({ ...config${ownWorker ? `, worker: ${ownWorkers[ownWorker]}` : ''} });
const fine = session.start().then(() => 'fine', (error) => error.code);
globalThis.app = { session, started: fine, token: (wanted) => session.getToken(wanted).then(({ value }) => value, (error) => error.code) };
`,
  );
  writeFileSync(join(folder, 'token-worker.js'), "import 'tokenkeep/worker';\n");
  if (ownWorker === 'copied') {
    mkdirSync(join(folder, 'out/static'), { recursive: true });
    cpSync(join(consumer, 'node_modules/tokenkeep/dist/browser/worker.js'), join(folder, 'out/static/tokenkeep-worker.js'));
  }
  return folder;
}

function built(folder: string): BundledApp {
  const files: ServeApp = async ({ url = '/' }, response) => {
    const path = new URL(url, 'http://app').pathname;
    if (!path.endsWith('.js')) return false;
    try {
      response.writeHead(200, { 'content-type': 'text/javascript' }).end(readFileSync(join(folder, 'out', path)));
    } catch {
      response.writeHead(404).end();
    }
    return true;
  };
  return { serve: files, close: () => Promise.resolve() };
}

export async function withVite(folder: string): Promise<BundledApp> {
  await viteBuild({
    root: folder,
    configFile: false,
    logLevel: 'error',
    build: { outDir: 'out', emptyOutDir: false, rollupOptions: { input: join(folder, 'app.js'), output: { entryFileNames: '[name].js' } } },
  });
  return built(folder);
}

/** Vite's server for development, which bundles dependencies when it first meets them. */
export async function withViteDev(folder: string): Promise<BundledApp> {
  const server = await viteServer({
    root: folder,
    configFile: false,
    logLevel: 'error',
    appType: 'custom',
    cacheDir: join(folder, '.vite'),
    optimizeDeps: { include: ['tokenkeep/browser'] },
    server: { middlewareMode: true, ws: false, hmr: false, fs: { strict: false } },
  });
  return {
    serve: (request, response) =>
      new Promise((resolve, reject) => {
        response.once('finish', () => resolve(true));
        server.middlewares(request, response, (error: unknown) => (error ? reject(error) : resolve(false)));
      }),
    close: () => server.close(),
  };
}

export async function withWebpack(folder: string): Promise<BundledApp> {
  const compiler = webpack({
    mode: 'production',
    context: folder,
    entry: { app: './app.js' },
    output: { path: join(folder, 'out'), filename: '[name].js', publicPath: 'auto' },
    performance: false,
    // It takes half a minute, and changes nothing of what is tested.
    optimization: { minimize: false },
  });
  await new Promise<void>((done, failed) => {
    compiler?.run((error, stats) => {
      const [problem] = stats?.toJson({ errors: true }).errors ?? [];
      compiler.close(() => (error || problem ? failed(error ?? new Error(problem?.message)) : done()));
    });
  });
  return built(folder);
}

/** The worker's file as an entry of its own, in the folder of the code that names it; without: as esbuild leaves it. */
export async function withEsbuild(folder: string, hasWorkerEntry = true): Promise<BundledApp> {
  await esbuild({
    absWorkingDir: folder,
    entryPoints: { app: './app.js', ...(hasWorkerEntry && { worker: 'tokenkeep/worker' }) },
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    outdir: resolve(folder, 'out'),
    logLevel: 'error',
  });
  return built(folder);
}
