import { existsSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize, resolve } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { anchors, docBlocks, internalLinks } from '../support/doc-blocks.js';
import { runNode, tools } from '../support/run.js';

const pages = [...globSync('*.md'), ...globSync('docs/**/*.md'), ...globSync('examples/**/*.md', { exclude: ['**/node_modules/**'] })].sort();
const read = (path: string): string => readFileSync(path, 'utf8');
const folder = join(inject('consumer'), 'docs');
const blocks = pages.flatMap((page) =>
  docBlocks(read(page)).map((block) => ({
    ...block,
    where: `${page}:${block.line}`,
    file: `${page.replace(/\W+/g, '-')}-${block.line}.${block.isJsx ? 'tsx' : 'ts'}`,
  })),
);
mkdirSync(folder, { recursive: true });
for (const { file, code } of blocks) writeFileSync(join(folder, file), `${code}\nexport {};\n`);

describe('code in the docs', () => {
  it('is there: in the README, with a block that runs', () => {
    expect(blocks.some(({ where }) => where.startsWith('README.md:'))).toBe(true);
    expect(blocks.some(({ runs }) => runs)).toBe(true);
  });

  it('compiles against the installed package', async () => {
    const compilerOptions = {
      strict: true,
      noEmit: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: true,
      target: 'ES2023',
      lib: ['ES2023', 'ESNext.Disposable', 'DOM', 'DOM.Iterable'],
      module: 'NodeNext',
      erasableSyntaxOnly: true,
      jsx: 'react-jsx',
      typeRoots: [resolve('node_modules/@types')],
      types: ['node'],
      // Recipes for proxies use the undici that a user installs; its types come with Node's.
      // So do recipes for stores the client that a user installs.
      paths: {
        undici: [resolve('node_modules/undici-types/index.d.ts')],
        redis: [resolve('node_modules/redis/dist/index.d.ts')],
        pg: [resolve('node_modules/@types/pg/index.d.ts')],
        pino: [resolve('node_modules/pino/pino.d.ts')],
      },
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts', '*.tsx'] }));
    const { code, output } = await runNode([resolve(tools.tsc), '-p', '.', '--pretty', 'false'], { cwd: folder });
    expect(output).toBe('');
    expect(code).toBe(0);
  });

  it.each(blocks.filter(({ runs }) => runs))('runs: $where', async ({ file }) => {
    const { code, output } = await runNode([file], { cwd: folder });
    expect(code, output).toBe(0);
  });
});

describe('links in the docs', () => {
  it.each(pages)('lead somewhere: %s', (page) => {
    const broken = internalLinks(read(page)).filter((link) => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : normalize(join(dirname(page), decodeURIComponent(path)));
      if (!existsSync(target)) return true;
      return anchor !== undefined && anchor !== '' && statSync(target).isFile() && !anchors(read(target)).includes(anchor);
    });
    expect(broken).toEqual([]);
  });
});

describe('the error reference', () => {
  const codes = [...(/export type TokenErrorCode =([^;]+);/.exec(read('src/core/errors.ts'))?.[1] ?? '').matchAll(/'(\w+)'/g)].map(([, code]) => code ?? '');
  const documented = existsSync('docs/errors.md')
    ? [...read('docs/errors.md').matchAll(/^(?:#{2,4}\s+|\|\s*)(?:<a[^>]*><\/a>\s*)?`(\w+)`/gm)].map(([, code]) => code ?? '')
    : [];

  it('has every code once and no other', () => {
    expect(codes.length).toBeGreaterThan(20);
    expect(documented.toSorted()).toEqual(codes.toSorted());
  });
});
