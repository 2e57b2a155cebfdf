import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BridgeAnswer } from './bridge-client.ts';
import { type DesiredDocument, DocumentSender, type SendOutcome } from './document-sender.ts';

/** A bridge that answers when it is told to. */
function world() {
  const requests: { method: string; path: string; version: number; answer: (answer: BridgeAnswer | Error) => void }[] =
    [];
  const waits: number[] = [];
  const outcomes: SendOutcome[] = [];
  const taken: number[] = [];
  const refused: number[] = [];
  const sender = new DocumentSender({
    retryDelayMsMin: 100,
    retryDelayMsMax: 400,
    request: (method, path, body) =>
      new Promise((resolve, reject) => {
        const version = (body as { version?: number } | undefined)?.version ?? 0;
        const answer = (given: BridgeAnswer | Error) => (given instanceof Error ? reject(given) : resolve(given));
        requests.push({ method, path, version, answer });
      }),
    wait: async delayMs => {
      waits.push(delayMs);
    },
    onOutcome: (_method, _path, outcome) => outcomes.push(outcome),
  });
  const document = (revision: number): DesiredDocument => ({
    body: { revision },
    revision,
    onTaken: it => taken.push(it),
    onRefused: status => refused.push(status),
  });
  /** Lets everything happen that waits for nothing but its turn. */
  const turn = () => new Promise(resolve => setImmediate(resolve));
  return { sender, requests, waits, outcomes, taken, refused, document, turn };
}

const OK: BridgeAnswer = { status: 200, body: {} };
const stale = (version: number): BridgeAnswer => ({ status: 409, body: { error: { code: 'stale-version', version } } });

test('one request of a document is under way at most, and what follows is the newest state only', async () => {
  const { sender, requests, taken, document, turn } = world();
  for (const revision of [1, 2, 3]) sender.put('/a', document(revision));
  await turn();
  assert.deepEqual(
    requests.map(({ version }) => version),
    [1],
  );
  requests[0].answer(OK);
  await turn();
  assert.deepEqual(
    requests.map(({ version }) => version),
    [1, 3],
  );
  requests[1].answer(OK);
  await turn();
  assert.deepEqual(taken, [1, 3]);
  assert.equal(sender.pending, 0);
});

test('documents do not wait for each other', async () => {
  const { sender, requests, document, turn } = world();
  sender.put('/a', document(1));
  sender.put('/b', document(1));
  await turn();
  assert.deepEqual(
    requests.map(({ path }) => path),
    ['/a', '/b'],
  );
});

test('what fails is tried again after a pause that doubles up to its limit', async () => {
  const { sender, requests, waits, taken, document, turn } = world();
  sender.put('/a', document(1));
  for (let i = 0; i < 4; i++) {
    await turn();
    requests[i].answer(i % 2 === 0 ? new Error('refused') : { status: 503, body: null });
  }
  await turn();
  requests[4].answer(OK);
  await turn();
  assert.deepEqual(waits, [100, 200, 400, 400]);
  assert.deepEqual(taken, [1]);
});

test('a bridge that has newer versions from before gets ours above them', async () => {
  const { sender, requests, taken, document, turn } = world();
  sender.put('/a', document(1));
  await turn();
  requests[0].answer(stale(41));
  await turn();
  assert.equal(requests[1].version, 42);
  requests[1].answer(OK);
  await turn();
  sender.put('/a', document(2));
  await turn();
  assert.equal(requests[2].version, 43);
  assert.deepEqual(taken, [1]);
});

test('a document that the bridge will never take is given up, until it changes', async () => {
  const { sender, requests, refused, document, turn } = world();
  sender.put('/a', document(1));
  await turn();
  requests[0].answer({ status: 400, body: null });
  await turn();
  assert.deepEqual(refused, [400]);
  assert.equal(requests.length, 1);
  sender.put('/a', document(2));
  await turn();
  assert.equal(requests.length, 2);
});

test('a removal goes after the request under way, and the document can come again', async () => {
  const { sender, requests, document, turn } = world();
  sender.put('/a', document(5));
  await turn();
  sender.remove('/a');
  requests[0].answer(OK);
  await turn();
  assert.equal(requests[1].method, 'DELETE');
  sender.put('/a', document(6));
  requests[1].answer({ status: 204, body: null });
  await turn();
  assert.deepEqual([requests[2].method, requests[2].version], ['PUT', 6]);
});

test('after close nothing is sent or told', async () => {
  const { sender, requests, outcomes, taken, document, turn } = world();
  sender.put('/a', document(1));
  await turn();
  sender.close();
  requests[0].answer(OK);
  sender.put('/b', document(1));
  await turn();
  assert.equal(requests.length, 1);
  assert.deepEqual(outcomes, []);
  // The bridge did take it; whoever asked is gone.
  assert.deepEqual(taken, []);
});

test('what is forgotten is neither sent again nor removed, and the rest goes on', async () => {
  const { sender, requests, document, turn } = world();
  for (const path of ['/c/1', '/c/1/e/2', '/c/10']) sender.put(path, document(1));
  await turn();
  sender.forget('/c/1');
  for (const { answer } of [...requests]) answer(stale(9));
  await turn();
  assert.deepEqual(
    requests.slice(3).map(({ path, version }) => [path, version]),
    [['/c/10', 10]],
  );
  assert.equal(sender.pending, 1);
});
