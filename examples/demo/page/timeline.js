/**
 * The timeline: lanes of bars on one strip that moves to the left.
 * @typedef {import('../page-messages.ts').Fact} Fact
 * @typedef {{ fact: Fact, element: HTMLElement, inner: HTMLElement | undefined }} Item
 */

// Left of "now" is what was, right of it how long the token in use is still good.
const shareBeforeNow = 0.78;
const bucketMs = 500;

/**
 * @param {HTMLElement} root
 * @param {number} tallestBar how many calls of half a second fill their lane
 */
export function createTimeline(root, tallestBar = 20) {
  const view = find(root, '.window');
  const strip = find(root, '.strip');
  const nowLine = find(root, '.now-line');
  const ahead = find(root, '.ahead');
  const axis = find(root, '.axis');
  /** @type {Map<string, Item>} */
  const items = new Map();
  let width = 0;
  let pastMs = 45_000;
  let pixelsPerMs = 0;
  let base = 0;
  let now = 0;

  /** @param {number} at */
  const x = (at) => (at - base) * pixelsPerMs;

  function measure() {
    width = view.clientWidth;
    pastMs = width < 500 ? 24_000 : width < 800 ? 36_000 : 48_000;
    pixelsPerMs = (width * shareBeforeNow) / pastMs;
    nowLine.style.left = `${width * shareBeforeNow}px`;
    ahead.style.left = `${width * shareBeforeNow}px`;
    drawAxis();
    for (const item of items.values()) place(item);
  }

  function drawAxis() {
    const stepMs = width < 500 ? 8_000 : 10_000;
    const labels = [];
    for (let ago = stepMs; ago < pastMs; ago += stepMs) {
      const label = document.createElement('span');
      label.textContent = `−${ago / 1000} s`;
      label.style.left = `${(pastMs - ago) * pixelsPerMs}px`;
      labels.push(label);
    }
    axis.replaceChildren(...labels);
  }

  /** @param {Item} item */
  function place({ fact, element, inner }) {
    if (fact.kind === 'line') return;
    element.style.left = `${x(fact.from)}px`;
    if (fact.kind === 'calls') {
      element.style.width = `${Math.max(1, Math.min(bucketMs, now - fact.from) * pixelsPerMs - 1)}px`;
      return;
    }
    const until = 'to' in fact && fact.to !== undefined ? fact.to : Math.max(now, fact.from);
    if (fact.kind === 'trouble' && !fact.isSpan) return;
    if (fact.kind !== 'token' || !inner) {
      element.style.width = `${Math.max(3, (until - fact.from) * pixelsPerMs)}px`;
      return;
    }
    const end = fact.refusedAt === undefined ? Math.max(fact.goodUntil, until) : until;
    element.style.width = `${(end - fact.from) * pixelsPerMs}px`;
    inner.style.width = `${Math.max(2, (until - fact.from) * pixelsPerMs)}px`;
    const due = find(element, '.renew-from');
    due.style.left = `${(fact.renewFrom - fact.from) * pixelsPerMs}px`;
    due.hidden = fact.renewFrom >= end;
    const servedOn = find(element, '.served-on');
    servedOn.hidden = fact.servedOnFrom === undefined;
    if (fact.servedOnFrom === undefined) return;
    servedOn.style.left = `${(fact.servedOnFrom - fact.from) * pixelsPerMs}px`;
    servedOn.style.width = `${(until - fact.servedOnFrom) * pixelsPerMs}px`;
  }

  new ResizeObserver(measure).observe(view);
  return {
    /** @param {Fact} fact */
    set(fact) {
      if (fact.kind === 'line') return;
      if (base === 0) base = fact.from;
      const known = items.get(fact.id);
      const item = known ? { ...known, fact } : create(fact);
      if (!known) strip.append(item.element);
      items.set(fact.id, item);
      dress(item, tallestBar);
      place(item);
    },
    /** @param {number} at */
    draw(at) {
      now = at;
      strip.style.transform = `translateX(${width * shareBeforeNow - x(now)}px)`;
      for (const [id, item] of items) {
        const { fact } = item;
        if (isUnfinished(fact, now)) place(item);
        else if (endOf(fact) < now - pastMs - 2_000) {
          item.element.remove();
          items.delete(id);
        }
      }
    },
  };
}

/**
 * @param {Fact} fact
 * @param {number} now
 */
function isUnfinished(fact, now) {
  if (fact.kind === 'line') return false;
  if (fact.kind === 'calls') return fact.from > now - 6 * bucketMs;
  return fact.to === undefined && (fact.kind !== 'trouble' || fact.isSpan);
}

/** @param {Fact} fact */
function endOf(fact) {
  if (fact.kind === 'token') return Math.max(fact.to ?? 0, fact.goodUntil);
  return 'to' in fact && fact.to !== undefined ? fact.to : fact.from;
}

/**
 * @param {Fact} fact
 * @returns {Item}
 */
function create(fact) {
  const element = box('bar');
  element.dataset['lane'] = fact.kind;
  if (fact.kind === 'calls') element.append(box('failed'), box('answered'));
  if (fact.kind === 'trouble') element.append(box('label'));
  if (fact.kind !== 'token') return { fact, element, inner: undefined };
  const inner = box('used');
  inner.append(box('label'), box('label served'));
  element.classList.add(fact.number % 2 ? 'odd' : 'even');
  element.append(inner, box('served-on'), box('renew-from'));
  return { fact, element, inner };
}

/**
 * @param {Item} item
 * @param {number} tallestBar
 */
function dress({ fact, element, inner }, tallestBar) {
  if (fact.kind === 'calls') {
    for (const name of /** @type {const} */ (['answered', 'failed'])) {
      find(element, `.${name}`).style.height = `${(Math.min(fact[name], tallestBar) / tallestBar) * 100}%`;
    }
  }
  if (fact.kind === 'request' && fact.isGood !== undefined) element.classList.add(fact.isGood ? 'good' : 'failed');
  if (fact.kind === 'trouble') {
    element.classList.toggle('span', fact.isSpan);
    find(element, '.label').textContent = fact.label;
  }
  if (fact.kind === 'token' && inner) {
    element.classList.add(fact.arrival);
    element.classList.toggle('refused', fact.refusedAt !== undefined);
    element.classList.toggle('over', fact.to !== undefined);
    find(inner, '.label').textContent = `#${fact.number} ${words[fact.arrival]}`;
    find(inner, '.served').textContent = `${fact.served} calls`;
  }
}

const words = { acquired: 'acquired', renewed: 'renewed', replaced: 'replaced', waited: 'fetched', restored: 'stored', adopted: 'other tab' };

/** @param {string} name */
function box(name) {
  const element = document.createElement('div');
  element.className = name;
  return element;
}

/**
 * @param {Element} root
 * @param {string} selector
 * @returns {HTMLElement}
 */
export function find(root, selector) {
  const element = root.querySelector(selector);
  if (element instanceof HTMLElement) return element;
  throw new Error(`The page has no ${selector}`);
}
