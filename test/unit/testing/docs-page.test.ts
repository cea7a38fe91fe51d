import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { fakeAuthorizationServer } from '../../../src/testing/index.js';

it('names every knob of the fake server, and no other, on the page about testing [gap 18]', () => {
  const page = readFileSync(new URL('../../../docs/testing.md', import.meta.url), 'utf8');
  const table = page.slice(page.indexOf('### Knobs'), page.indexOf('## Contracts'));
  const named = [...table.matchAll(/^\|[^|]*\|([^|]*)\|/gm)].flatMap(([, cell = '']) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name));
  expect(named.toSorted()).toEqual(Object.keys(fakeAuthorizationServer().knobs).toSorted());
});
