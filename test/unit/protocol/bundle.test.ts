import { build } from 'esbuild';
import { expect, it } from 'vitest';

/** The packages whose code is in a bundle of these exports. */
async function packagesOf(names: string): Promise<string[]> {
  const { metafile } = await build({
    stdin: { contents: `export { ${names} } from './src/index.js';`, resolveDir: '.', loader: 'ts' },
    bundle: true,
    minify: true,
    format: 'esm',
    metafile: true,
    write: false,
  });
  const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs));
  const used = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => /node_modules\/([^/]+)/.exec(path)?.[1]);
  return [...new Set(used)].filter((name) => name !== undefined);
}

it('has no jose in it where nothing is signed [S17]', async () => {
  expect(await packagesOf('createTokenManager, memoryStore, clientCredentials, clientSecretBasic, refreshToken')).not.toContain('jose');
  expect(await packagesOf('clientCredentials, dpop')).toContain('jose');
});
