import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { aptCommands, findPart, installHint, SYSTEM_PARTS, type SystemPart } from './system-parts.ts';

const PART: SystemPart = {
  name: 'Frobnicator',
  because: 'nothing frobnicates otherwise',
  commands: ['frob', 'frobnicator'],
  debianPackage: 'frobnicate',
  elsewhere: 'install a frobnicator',
};

test('a part is found under any of its names, in any folder of PATH, when it can be run', t => {
  const folder = mkdtempSync(join(tmpdir(), 'parts-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = ['', join(folder, 'missing'), folder].join(delimiter);
  assert.equal(findPart(PART, path), undefined);
  writeFileSync(join(folder, 'frobnicator'), '');
  chmodSync(join(folder, 'frobnicator'), 0o644);
  assert.equal(findPart(PART, path), undefined);
  chmodSync(join(folder, 'frobnicator'), 0o755);
  assert.equal(findPart(PART, path), join(folder, 'frobnicator'));
});

test('the hint is a command that installs every missing part, or words where there is no apt', () => {
  const hint = installHint([PART, SYSTEM_PARTS[0]], true);
  assert.equal(hint, 'sudo apt-get update && sudo apt-get install -y --no-install-recommends frobnicate chromium');
  assert.equal(installHint([PART], false), 'install a frobnicator');
  assert.deepEqual(
    aptCommands([PART]).map(([command]) => command),
    ['apt-get', 'apt-get'],
  );
});
