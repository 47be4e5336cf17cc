// As much of a page as the presence bar draws on, and what it was given to load.

/** Names and values that were written to elements where a browser could load something. */
export const written = [];
const frames = [];

class FakeElement extends EventTarget {
  children = [];
  dataset = {};
  hidden = false;
  className = '';
  textContent = '';
  clientWidth = 2000;
  offsetWidth = 36;
  isConnected = true;
  style = { setProperty: (name, value) => written.push([name, String(value)]), removeProperty() {} };
  #parent = null;
  #made = new Map();

  attachShadow() {
    return new FakeElement();
  }

  append(...nodes) {
    for (const node of nodes) this.insertBefore(node, null);
  }

  get firstElementChild() {
    return this.children[0] ?? null;
  }

  get parentElement() {
    return this.#parent;
  }

  get nextElementSibling() {
    const siblings = this.#parent?.children ?? [];
    return siblings[siblings.indexOf(this) + 1] ?? null;
  }

  get lastElementChild() {
    return this.children.at(-1) ?? null;
  }

  insertBefore(node, before) {
    if (!(node instanceof FakeElement)) return; // Text, which the tests do not look at.
    node.remove();
    node.#parent = this;
    this.children.splice(before === null ? this.children.length : this.children.indexOf(before), 0, node);
  }

  replaceChildren(...nodes) {
    for (const child of [...this.children]) child.remove();
    this.append(...nodes);
  }

  replaceWith(node) {
    this.#parent.insertBefore(node, this);
    this.remove();
  }

  remove() {
    if (this.#parent) this.#parent.children = this.#parent.children.filter((each) => each !== this);
    this.#parent = null;
  }

  /** By class, of what was put there; what a template would have brought is made up. */
  querySelector(selector) {
    const found = this.all().find((each) => each.className.split(' ').includes(selector.slice(1)));
    if (found) return found;
    if (!this.#made.has(selector)) this.#made.set(selector, new FakeElement());
    return this.#made.get(selector);
  }

  querySelectorAll() {
    return [];
  }

  all() {
    return this.children.flatMap((child) => [child, ...child.all()]);
  }

  setAttribute(name, value) {
    written.push([name, String(value)]);
  }

  set src(value) {
    written.push(['src', String(value)]);
  }

  getAttribute() {
    return null;
  }

  getBoundingClientRect() {
    return { left: 0, right: 0, top: 0, bottom: 0, width: 0 };
  }

  toggleAttribute() {}

  matches() {
    return false;
  }
}

/** Put it where a browser has it; before the bar is imported. */
export function installDom() {
  Object.assign(globalThis, {
    HTMLElement: FakeElement,
    Image: class extends FakeElement {},
    CSSStyleSheet: class { replaceSync() {} },
    ResizeObserver: class { observe() {} disconnect() {} },
    customElements: { define() {}, get() {} },
    document: { createElement: () => new FakeElement(), createElementNS: () => new FakeElement() },
    window: { setTimeout: () => 1 },
    innerWidth: 1000,
    getComputedStyle: () => ({ height: '36px' }),
    requestAnimationFrame: (callback) => frames.push(callback),
    cancelAnimationFrame() {},
  });
}

/** The browser draws. */
export function drawFrame() {
  for (const callback of frames.splice(0)) callback();
}

/** Forget what an earlier test did. */
export function forget() {
  written.splice(0);
  frames.splice(0);
}
