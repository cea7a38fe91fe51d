import { expect, it } from 'vitest';
import { anchors, docBlocks, internalLinks } from '../support/doc-blocks.js';

const fence = '```';

it('finds every TypeScript block with its line, its prelude and its mark', () => {
  const page = `# Title\n\n${fence}ts\none();\n${fence}\n\n${fence}sh\nnpm i\n${fence}\n\n<!-- prelude declare const x: number; -->\n\n${fence}ts run\ntwo(x);\n${fence}\n\n${fence}tsx\n<p />;\n${fence}\n`;
  expect(docBlocks(page)).toEqual([
    { line: 4, code: '\none();\n', runs: false, isJsx: false },
    { line: 14, code: 'declare const x: number;\ntwo(x);\n', runs: true, isJsx: false },
    { line: 18, code: '\n<p />;\n', runs: false, isJsx: true },
  ]);
});

it('finds links that stay in the repository, and none in code', () => {
  const page = `[a](docs/a.md#b) [b](https://x.example) ![c](c.svg "t") \`[d](d.md)\`\n${fence}\n[e](e.md)\n${fence}\n[f]: docs/f.md\n`;
  expect(internalLinks(page)).toEqual(['docs/a.md#b', 'c.svg', 'docs/f.md']);
});

it('knows the anchors that headings give', () => {
  expect(anchors('# How do I, say, `x`?\n## Same\n## Same\n### grant_revoked\n')).toEqual(['how-do-i-say-x', 'same', 'same-1', 'grant_revoked']);
});
