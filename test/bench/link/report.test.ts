import assert from 'node:assert/strict';
import { test } from 'node:test';
import { finding, note, percent } from './link-case.ts';
import { type LinkFigures, meetsAims, renderMarkdown, renderText } from './report.ts';

function figures(isMet: boolean): LinkFigures {
  return {
    machine: { processor: 'a processor', cores: 2, kernel: '6.1', node: 'v26', load: 0.5 },
    seed: 9,
    quick: false,
    cases: [
      {
        name: 'loss',
        summary: 'a | b',
        seconds: 12.4,
        findings: [finding('residual loss', '< 0.1 %', '0.05 % of 100', isMet), note('repairs', '3')],
        values: {},
      },
    ],
  };
}

test('the text has each aim beside its figure, whether it is met, and the seed', () => {
  const text = renderText(figures(true));
  assert.match(text, /seed 9\./);
  assert.match(text, /\nloss: a \| b \(12 s\)\n/);
  assert.match(text, /\n {2}residual loss +< 0\.1 % +0\.05 % of 100 +yes\n/);
  assert.match(text, /\nAll 1 aims are met\.\n$/);
});

test('a missed aim is told at the end, and is a failure; a note is neither', () => {
  assert.match(renderText(figures(false)), /0\.05 % of 100 +NO\n(?:.*\n)*1 of 1 aims are NOT met\.\n$/);
  assert.deepEqual(
    [true, false].map(isMet => meetsAims(figures(isMet))),
    [true, false],
  );
});

test('the document is a table, and text with a bar does not break it', () => {
  const lines = renderMarkdown(figures(true)).split('\n');
  assert.ok(lines.includes('| loss | residual loss | < 0.1 % | 0.05 % of 100 | yes |'));
  assert.ok(lines.includes('|  | repairs |  | 3 |  |'));
});

test('a small share keeps its digits', () => {
  assert.deepEqual([0, 0.0004, 0.02].map(percent), ['0.0 %', '0.040 %', '2.0 %']);
});
