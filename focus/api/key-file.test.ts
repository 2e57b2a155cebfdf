import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readKeyFile } from './key-file.ts';

const LONG = 'x'.repeat(32);
const RULES = { development: false, taken: { mine: LONG } };

function problem(text: string): string {
  let message = '';
  assert.throws(
    () => readKeyFile(text, 'keys.yaml', RULES),
    (error: Error) => {
      message = error.message;
      return true;
    },
  );
  assert.equal(message.includes('hunter2'), false, 'a secret is repeated');
  return message;
}

test("a key file has LiveKit's form: a line for each key", () => {
  assert.deepEqual(readKeyFile(`a: ${LONG}\nb: "${LONG}y"\n`, 'keys.yaml', RULES), { a: LONG, b: `${LONG}y` });
  assert.deepEqual(readKeyFile('a: short', 'keys.yaml', { ...RULES, development: true }), { a: 'short' });
});

test('a key may stand in the configuration as well, but not with another secret', () => {
  assert.deepEqual(readKeyFile(`mine: ${LONG}`, 'keys.yaml', RULES), { mine: LONG });
  assert.match(problem(`mine: ${LONG}hunter2`), /^key_file keys.yaml: mine is also in keys, with another secret/);
});

test('whatever else is in the file is refused with what is allowed, and no secret is repeated', () => {
  assert.match(problem(''), /has no key; allowed: lines of the form key: secret$/);
  assert.match(problem('- hunter2'), /is no mapping/);
  assert.match(problem('hunter2'), /is no mapping/);
  assert.match(problem('a: "hunter2'), /is no YAML/);
  assert.match(problem('a: hunter2'), /the secret of a has 7 characters; allowed: 32 or more$/);
  assert.match(problem('a: 12345678901234567890123456789012345'), /the secret of a is not text; quote it$/);
});
