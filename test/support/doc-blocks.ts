/** One fenced block of TypeScript of a page, with JSX or without. */
export interface DocBlock {
  /** Line of the page at which the code begins. */
  readonly line: number;
  /** The code, after the prelude that a comment before the block gives: `<!-- prelude declare const url: string; -->`. */
  readonly code: string;
  /** Marked with ```` ```ts run ````: it is run, not only compiled. */
  readonly runs: boolean;
  readonly isJsx: boolean;
}

/** All TypeScript blocks of a Markdown page. Every one has to compile; a prelude declares what the reader is told in words. */
export function docBlocks(markdown: string): DocBlock[] {
  const pattern = /(?:<!--\s*prelude\b([\s\S]*?)-->\s*)?^```(tsx?|typescript)\b([^\n]*)\n([\s\S]*?)^```[ \t]*$/gm;
  return [...markdown.matchAll(pattern)].map((match) => {
    const [whole, prelude = '', language = '', info = '', code = ''] = match;
    const start = match.index + whole.length - code.length - '```'.length;
    return { line: markdown.slice(0, start).split('\n').length, code: `${prelude.trim()}\n${code}`, runs: /\brun\b/.test(info), isJsx: language === 'tsx' };
  });
}

const withoutCode = (markdown: string): string => markdown.replace(/^```[\s\S]*?^```[ \t]*$/gm, '').replace(/`[^`\n]*`/g, '');

/** Targets of all links of a page that stay in the repository. */
export function internalLinks(markdown: string): string[] {
  const targets = [...withoutCode(markdown).matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)/gm)].map(
    ([, inline, reference]) => inline ?? reference ?? '',
  );
  return targets.filter((target) => !/^[a-z][a-z\d+.-]*:/i.test(target));
}

/** The anchors that headings of a page give, as GitHub writes them. */
export function anchors(markdown: string): string[] {
  const seen = new Map<string, number>();
  return [...markdown.replace(/^```[\s\S]*?^```[ \t]*$/gm, '').matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)].map(([, title = '']) => {
    const text = title.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const slug = text.replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-');
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  });
}
