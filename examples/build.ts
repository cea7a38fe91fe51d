// node examples/build.ts examples/spa: bundles an example into its folder `dist`, for the server and the API that ISSUER and API_URL name.
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export interface Settings {
  readonly issuer: string;
  readonly apiUrl: string;
}

/** The files of an example by their names: the given ones, bundled, and the chunks that they load later. */
export async function bundle(sources: readonly string[], settings: Settings): Promise<Map<string, string>> {
  const { outputFiles } = await build({
    entryPoints: [
      ...sources.map((path) => ({ in: path, out: basename(path).replace(/\.\w+$/, '') })),
      // The shared worker that renews, beside the chunk that names it.
      { in: 'tokenkeep/worker', out: 'chunks/worker' },
    ],
    bundle: true,
    // The code that renews and signs in is a chunk of its own, loaded after the page.
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    minify: true,
    outdir: 'out',
    chunkNames: 'chunks/[name]-[hash]',
    jsx: 'automatic',
    loader: { '.html': 'copy', '.svg': 'copy' },
    define: {
      ISSUER: JSON.stringify(settings.issuer),
      API_URL: JSON.stringify(settings.apiUrl),
      'process.env.NODE_ENV': '"production"',
    },
    write: false,
    logLevel: 'error',
    // `tokenkeep` is the package, as it is published.
    tsconfigRaw: {},
  });
  return new Map(outputFiles.map(({ path, text }) => [path.slice(path.lastIndexOf('/out/') + 5), text]));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , folder = ''] = process.argv;
  const { ISSUER: issuer = '', API_URL: apiUrl = '' } = process.env;
  if (folder === '' || issuer === '' || apiUrl === '') {
    console.error('usage: ISSUER=… API_URL=… node examples/build.ts examples/spa');
    process.exit(2);
  }
  const script = basename(folder) === 'react' ? 'main.tsx' : 'main.ts';
  const files = await bundle(
    ['index.html', 'style.css', script].map((name) => join(folder, name)),
    { issuer, apiUrl },
  );
  for (const [name, text] of files) {
    await mkdir(dirname(join(folder, 'dist', name)), { recursive: true });
    await writeFile(join(folder, 'dist', name), text);
  }
  console.log(`${join(folder, 'dist')}: ${[...files.keys()].join(', ')}`);
}
