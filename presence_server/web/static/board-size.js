// The board is a canvas of this size, in board units, which is scaled to each window: notes are
// laid out in it.

export const BOARD_WIDTH = 1600;
export const BOARD_HEIGHT = 900;
