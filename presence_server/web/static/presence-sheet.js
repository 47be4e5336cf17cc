// Style sheets of shadow roots: made once for all elements, and only in a browser.

/** @type {Map<string, CSSStyleSheet>} */
const sheets = new Map();

/**
 * @param {string} css
 * @returns {CSSStyleSheet}
 */
export function styleSheet(css) {
  let sheet = sheets.get(css);
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    sheets.set(css, sheet);
  }
  return sheet;
}
