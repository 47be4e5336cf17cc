// Moves an element by pointer or by keyboard.

const STEP = 20;
const SMALL_STEP = 2;
/** A pointer that moved less, in pixels, was not meant to drag. */
const SLACK = 4;

/** @type {Record<string, [number, number]>} */
const DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * @typedef {object} DragHandlers
 * @property {(target: EventTarget | null) => boolean} mayBegin  whether a pointer there takes hold
 * @property {() => number} scale  pixels in a unit
 * @property {(dx: number, dy: number) => void} moved  so many units from where it began
 * @property {(dx: number, dy: number) => void} dropped
 * @property {() => void} cancelled
 * @property {(target: EventTarget | null) => void} clicked  it was not dragged
 */

/**
 * @param {HTMLElement} element
 * @param {DragHandlers} handlers
 */
export function dragByPointer(element, handlers) {
  /** @type {{id: number, x: number, y: number, target: EventTarget | null, isMoving: boolean} | null} */
  let held = null;

  /** @param {PointerEvent} event */
  const distance = (event) => {
    const scale = handlers.scale();
    return /** @type {[number, number]} */ ([(event.clientX - (held?.x ?? 0)) / scale, (event.clientY - (held?.y ?? 0)) / scale]);
  };

  element.addEventListener('pointerdown', (event) => {
    if (held || event.button !== 0 || !handlers.mayBegin(event.target)) return;
    // The browser would move the focus, or select text.
    event.preventDefault();
    held = { id: event.pointerId, x: event.clientX, y: event.clientY, target: event.target, isMoving: false };
    element.setPointerCapture(event.pointerId);
  });
  element.addEventListener('pointermove', (event) => {
    if (held?.id !== event.pointerId) return;
    held.isMoving ||= Math.hypot(event.clientX - held.x, event.clientY - held.y) >= SLACK;
    if (held.isMoving) handlers.moved(...distance(event));
  });
  element.addEventListener('pointerup', (event) => {
    if (held?.id !== event.pointerId) return;
    const { isMoving, target } = held;
    const [dx, dy] = distance(event);
    held = null;
    if (isMoving) handlers.dropped(dx, dy);
    else handlers.clicked(target);
  });
  element.addEventListener('pointercancel', (event) => {
    if (held?.id !== event.pointerId) return;
    held = null;
    handlers.cancelled();
  });
}

/**
 * How far a key moves something.
 *
 * @param {KeyboardEvent} event
 * @returns {[number, number] | null} units; null: the key moves nothing
 */
export function stepOf(event) {
  const direction = DIRECTIONS[event.key];
  if (!direction || event.ctrlKey || event.metaKey || event.altKey) return null;
  const step = event.shiftKey ? SMALL_STEP : STEP;
  return [direction[0] * step, direction[1] * step];
}
