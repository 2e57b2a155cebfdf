/** How large tiles are: the size at which `count` of them fill an area best. Pure. */

export interface TileSize {
  readonly widthPx: number;
  readonly heightPx: number;
}

/** Tiles are between upright phone and wide screen, so that an area of any shape is used. */
const ASPECT_MIN = 1;
const ASPECT_MAX = 16 / 9;
/** Smaller ones cannot be read: the grid scrolls instead. */
const WIDTH_PX_MIN = 150;

/** The largest size of `count` equal tiles with `gapPx` between them in an area; rows and columns are tried, not computed. */
export function tileSize(count: number, areaWidthPx: number, areaHeightPx: number, gapPx: number): TileSize {
  let best: TileSize = smallest(areaWidthPx);
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const cellWidthPx = (areaWidthPx - gapPx * (columns - 1)) / columns;
    const cellHeightPx = (areaHeightPx - gapPx * (rows - 1)) / rows;
    // More gaps than area leave less than nothing.
    const fitted = fit(Math.max(0, cellWidthPx), Math.max(0, cellHeightPx));
    if (fitted.widthPx * fitted.heightPx > best.widthPx * best.heightPx) best = fitted;
  }
  return best;
}

/** The largest tile in a cell whose shape is within the limits, in whole pixels. */
function fit(cellWidthPx: number, cellHeightPx: number): TileSize {
  const widthPx = Math.min(cellWidthPx, cellHeightPx * ASPECT_MAX);
  const heightPx = Math.min(cellHeightPx, cellWidthPx / ASPECT_MIN);
  return { widthPx: Math.floor(widthPx), heightPx: Math.floor(Math.min(heightPx, widthPx / ASPECT_MIN)) };
}

function smallest(areaWidthPx: number): TileSize {
  const widthPx = Math.floor(Math.max(1, Math.min(WIDTH_PX_MIN, areaWidthPx)));
  return { widthPx, heightPx: Math.floor(widthPx / ASPECT_MAX) };
}
