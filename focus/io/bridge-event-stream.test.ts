import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { BridgeEvent } from '../../protocol/control/events.ts';
import { followBridgeEvents } from './bridge-event-stream.ts';

const speakers = (conferenceId: string) => JSON.stringify({ kind: 'speakers', conferenceId, speakers: [] });

/** Follows streams that a test hands out. */
function follow() {
  const events: BridgeEvent[] = [];
  const malformed: string[] = [];
  const opened: PassThrough[] = [];
  const clock = { isRefusing: false, told: [] as string[], attempts: 0 };
  const stream = followBridgeEvents({
    open: async () => {
      clock.attempts++;
      if (clock.isRefusing) throw new Error('refused');
      const next = new PassThrough();
      opened.push(next);
      return next as unknown as IncomingMessage;
    },
    onEvent: event => events.push(event),
    onMalformed: reason => malformed.push(reason),
    onOpen: () => clock.told.push('open'),
    onClosed: () => clock.told.push('closed'),
    retryDelayMsMin: 1,
    retryDelayMsMax: 2,
  });
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await new Promise(resolve => setImmediate(resolve));
  };
  return { stream, events, malformed, opened, clock, until };
}

test('lines are events, however they are cut into chunks', async () => {
  const { stream, events, opened, until } = follow();
  await until(() => opened.length === 1);
  const text = `${speakers('00000001')}\n${speakers('00000002')}\n`;
  for (const byte of Buffer.from(text)) opened[0].write(Buffer.of(byte));
  await until(() => events.length === 2);
  assert.deepEqual(
    events.map(event => event.kind === 'speakers' && event.conferenceId),
    ['00000001', '00000002'],
  );
  stream.close();
});

test('a line that is no event is left out and reported, the next one counts', async () => {
  const { stream, events, malformed, opened, until } = follow();
  await until(() => opened.length === 1);
  opened[0].write(`not json\n{"kind":"news"}\n{"kind":"speakers","conferenceId":1}\n\n${speakers('00000001')}\n`);
  await until(() => events.length === 1);
  assert.deepEqual(malformed, ['bridge-event-json', 'bridge-event', 'bridge-event']);
  stream.close();
});

test('a stream that ends is opened again', async () => {
  const { stream, events, opened, until } = follow();
  await until(() => opened.length === 1);
  opened[0].end();
  await until(() => opened.length === 2);
  opened[1].write(`${speakers('00000001')}\n`);
  await until(() => events.length === 1);
  stream.close();
});

test('a line without end does not fill the memory: the stream is given up', async () => {
  const { stream, opened, until } = follow();
  await until(() => opened.length === 1);
  opened[0].on('error', () => {});
  opened[0].write('x'.repeat((1 << 20) + 1));
  await until(() => opened.length === 2);
  stream.close();
});

test('the stream is told open each time it is, and closed each time it ends or cannot be opened', async () => {
  const { stream, clock, opened, until } = follow();
  await until(() => opened.length === 1);
  await until(() => clock.told.length === 1);
  assert.deepEqual(clock.told, ['open']);
  clock.isRefusing = true;
  opened[0].end();
  await until(() => clock.attempts >= 3);
  assert.deepEqual(clock.told.slice(0, 3), ['open', 'closed', 'closed']);
  clock.isRefusing = false;
  await until(() => opened.length === 2 && clock.told.at(-1) === 'open');
  stream.close();
});

test('reopened, the bridge says everything again, and the stream is not told closed; one that is opening is left alone', async () => {
  const { stream, events, clock, opened, until } = follow();
  stream.reopen();
  await until(() => clock.told.length === 1);
  stream.reopen();
  await until(() => clock.told.length === 2);
  assert.equal(opened.length, 2);
  opened[1].write(`${speakers('00000001')}\n`);
  await until(() => events.length === 1);
  assert.deepEqual(clock.told, ['open', 'open']);
  opened[1].end();
  await until(() => clock.told.length === 4);
  assert.deepEqual(clock.told, ['open', 'open', 'closed', 'open']);
  stream.close();
});
