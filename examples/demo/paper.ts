/** Lines on the terminal, with one status line below them that changes. */
export interface Paper {
  line(text?: string): void;
  /** Shown below the last line until something else is written; only on a terminal. */
  status(text: string): void;
  dim(text: string): string;
  bold(text: string): string;
  good(text: string): string;
  bad(text: string): string;
  /** One of a few colours, so that neighbours differ. */
  hue(text: string, index: number): string;
}

const hues = [36, 35, 34, 33] as const;
const eraseLine = '\r\u001b[2K';

/** Colour only on a terminal, and not where NO_COLOR is set. */
export function createPaper(stream: NodeJS.WriteStream): Paper {
  const isColoured = stream.isTTY && !process.env['NO_COLOR'];
  const paint = (code: number) => (text: string) => (isColoured ? `\u001b[${code}m${text}\u001b[0m` : text);
  let hasStatus = false;
  return {
    line(text = '') {
      stream.write(`${hasStatus ? eraseLine : ''}${text}\n`);
      hasStatus = false;
    },
    status(text) {
      if (!stream.isTTY) return;
      stream.write(`${eraseLine}${text}`);
      hasStatus = true;
    },
    dim: paint(2),
    bold: paint(1),
    good: paint(32),
    bad: paint(31),
    hue: (text, index) => paint(hues[index % hues.length] ?? 36)(text),
  };
}
