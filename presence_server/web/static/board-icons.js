// The icons of the demo board, drawn by strokes of one width.

const SVG = 'http://www.w3.org/2000/svg';

const PATHS = {
  add: 'M10 4v12M4 10h12',
  undo: 'M7 4 3.5 7.5 7 11M4 7.5h7.5a4.5 4.5 0 0 1 0 9H8',
  redo: 'M13 4l3.5 3.5L13 11M16 7.5H8.5a4.5 4.5 0 0 0 0 9H12',
  remove: 'M4 6h12M8 6V4h4v2M6 6l.7 10h6.6L14 6M8.6 9v4.5M11.4 9v4.5',
  saved: 'M4.5 10.5 8.5 14.5 15.5 6.5',
};

/**
 * @param {keyof typeof PATHS} name
 * @returns {SVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 20 20');
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add('icon');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', PATHS[name]);
  svg.append(path);
  return svg;
}

/**
 * @param {string} className
 * @param {string} label  its name for readers of screens, and its tip
 * @param {(Node | string)[]} content
 * @returns {HTMLButtonElement}
 */
export function button(className, label, ...content) {
  const element = document.createElement('button');
  element.type = 'button';
  element.className = className;
  element.title = label;
  element.setAttribute('aria-label', label);
  element.append(...content);
  return element;
}
