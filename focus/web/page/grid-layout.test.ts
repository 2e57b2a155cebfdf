import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { tileSize } from './grid-layout.ts';

test('one tile on a wide screen is 16 to 9 and as high as the area', () => {
  assert.deepEqual(tileSize(1, 1900, 900, 10), { widthPx: 1600, heightPx: 900 });
});

test('four on a wide screen are two by two', () => {
  assert.deepEqual(tileSize(4, 1610, 910, 10), { widthPx: 800, heightPx: 450 });
});

test('three on an upright phone stand below each other and use its width', () => {
  assert.deepEqual(tileSize(3, 374, 680, 10), { widthPx: 374, heightPx: 220 });
});

test('as many tiles as asked for fit into the area, until they would be too small to read', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 3000 }),
      fc.integer({ min: 1, max: 2000 }),
      (count, width, height) => {
        const { widthPx, heightPx } = tileSize(count, width, height, 10);
        assert.ok(widthPx >= 1 && heightPx >= 0 && widthPx <= width);
        if (widthPx <= 150) return;
        const columns = Math.floor((width + 10) / (widthPx + 10));
        assert.ok(
          Math.ceil(count / columns) * (heightPx + 10) - 10 <= height,
          `${columns} columns of ${widthPx}x${heightPx}`,
        );
      },
    ),
  );
});
