/**
 * The story in words, newest first, and the journal as it is.
 * @typedef {import('../page-messages.ts').LineFact} LineFact
 * @typedef {import('../page-messages.ts').Message['journal'][number]} JournalEntry
 */

const longestStory = 10;
const longestJournal = 40;

/** @param {HTMLElement} list */
export function createStory(list) {
  /** @type {Map<string, HTMLElement>} */
  const lines = new Map();
  /** @param {LineFact} line */
  return (line) => {
    const known = lines.get(line.id);
    const element = known ?? document.createElement('li');
    element.dataset['tone'] = line.tone;
    element.replaceChildren(part('time', since(line.from)), part('strong', line.title), part('span', line.text));
    if (known) return;
    lines.set(line.id, element);
    list.prepend(element);
    if (lines.size <= longestStory) return;
    for (const [id, oldest] of [...lines].slice(0, -longestStory)) {
      oldest.remove();
      lines.delete(id);
    }
  };
}

/** @param {HTMLElement} list */
export function createJournal(list) {
  /** @param {readonly JournalEntry[]} entries */
  return (entries) => {
    for (const { at, type, ...rest } of entries) {
      const element = document.createElement('li');
      const facts = Object.entries(rest).map(
        ([name, value]) => `${name}: ${typeof value === 'object' ? value.code : name.endsWith('At') ? time(value) : value}`,
      );
      element.append(part('time', time(at)), part('strong', type), part('span', facts.join(', ')));
      list.prepend(element);
    }
    while (list.childElementCount > longestJournal) list.lastElementChild?.remove();
  };
}

/** @param {unknown} at */
function time(at) {
  return typeof at === 'number' ? new Date(at).toLocaleTimeString('en-GB') : '';
}

/** @param {number} ms */
function since(ms) {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/**
 * @param {string} tag
 * @param {string} text
 */
function part(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}
