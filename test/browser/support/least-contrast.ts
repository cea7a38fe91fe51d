/** The least contrast of any text on the page with what is behind it (WCAG 2.2, 1.4.3). Runs in the page. */
export function leastContrast(): { ratio: number; where: string } {
  const parse = (colour: string): number[] => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = (colour: string): number => {
    const [red = 0, green = 0, blue = 0] = parse(colour).map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const backdrop = (element: Element | null): string => {
    if (element === null) return 'rgb(255, 255, 255)';
    const { backgroundColor } = getComputedStyle(element);
    return parse(backgroundColor)[3] === 0 ? backdrop(element.parentElement) : backgroundColor;
  };
  let least = { ratio: 21, where: '' };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text !== null; text = texts.nextNode()) {
    const element = text.parentElement;
    if (element === null || !text.textContent?.trim() || !element.checkVisibility() || element.closest('.unseen')) continue;
    const pair = [luminance(getComputedStyle(element).color), luminance(backdrop(element))].sort((a, b) => b - a);
    const ratio = ((pair[0] ?? 0) + 0.05) / ((pair[1] ?? 0) + 0.05);
    if (ratio < least.ratio) least = { ratio, where: `${element.tagName}.${element.className}: ${text.textContent}` };
  }
  return least;
}
