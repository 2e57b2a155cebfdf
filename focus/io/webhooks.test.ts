import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { LeaveRequest } from '@livekit/protocol';
import { RoomServiceClient, type WebhookEvent, WebhookReceiver } from 'livekit-server-sdk';
import { eventually, withFocus } from './focus.fixture.ts';
import { SignalClient } from './signal-client.fixture.ts';

const receiver = new WebhookReceiver('devkey', 'secret');
let server: Server;
let url: string;
let events: WebhookEvent[] = [];
let bodies: string[] = [];
/** Statuses to answer with before 200. */
let answers: number[] = [];

before(async () => {
  server = createServer(async (request, response) => {
    const body = await text(request);
    const status = answers.shift() ?? 200;
    bodies.push(body);
    assert.equal(request.headers['content-type'], 'application/webhook+json');
    if (status === 200) events.push(await receiver.receive(body, request.headers.authorization));
    response.writeHead(status).end();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

function fresh(): void {
  events = [];
  bodies = [];
  answers = [];
}

const settings = () => ({ 'webhook.urls': [url], 'webhook.api_key': 'devkey', 'webhook.retry_delay_ms_min': 1 });
const names = () => events.map(({ event }) => event);

test("LiveKit's receiver accepts what a meeting sends, in the order it happened", async () => {
  fresh();
  await withFocus(settings(), async ({ focus, bridge, assertNothingLeft }) => {
    const ann = await SignalClient.join(focus.url, 'ann');
    await eventually(() => bridge.isHeard && bridge.endpoints.size === 1 && bridge.conferences.size === 1);
    bridge.connectAll();
    await eventually(() => names().includes('participant_joined'));
    ann.send({ case: 'leave', value: new LeaveRequest() });
    await assertNothingLeft();
    await eventually(() => names().includes('room_finished'));
  });
  assert.deepEqual(names(), ['room_started', 'participant_joined', 'participant_left', 'room_finished']);
  const [started, joined] = events;
  assert.equal(started.room?.name, 'talk');
  assert.match(started.id, /^EV_/);
  assert.ok(Math.abs(Number(started.createdAt) * 1000 - Date.now()) < 60_000);
  assert.deepEqual([joined.participant?.identity, joined.room?.numParticipants], ['ann', 1]);
  assert.equal(new Set(events.map(({ id }) => id)).size, events.length);
});

test('a receiver that fails gets the same event again, and none that came after it before', async () => {
  fresh();
  answers = [500, 503, 429];
  await withFocus(settings(), async ({ focus }) => {
    const api = new RoomServiceClient(focus.url, 'devkey', 'secret');
    await api.createRoom({ name: 'other' });
    await api.deleteRoom('other');
    await eventually(() => names().includes('room_finished'));
    assert.deepEqual(names(), ['room_started', 'room_finished']);
    const ids = bodies.map(body => (JSON.parse(body) as { id: string }).id);
    assert.deepEqual(ids.slice(0, 4), Array(4).fill(ids[0]));
    const metrics = await (await fetch(`${focus.url}/metrics`)).text();
    assert.match(metrics, /causeway_focus_webhooks_total\{result="delivered",focus="focus-1"\} 2/);
    assert.match(metrics, /causeway_focus_webhooks_total\{result="failed",focus="focus-1"\} 3/);
    assert.match(metrics, /causeway_focus_webhooks_queued\{focus="focus-1"\} 0/);
  });
});

test('what a receiver refuses is not sent again, and a redirect is not followed', async () => {
  for (const status of [400, 401, 302]) {
    fresh();
    answers = [status];
    await withFocus(settings(), async ({ focus }) => {
      const api = new RoomServiceClient(focus.url, 'devkey', 'secret');
      await api.createRoom({ name: 'other' });
      await api.deleteRoom('other');
      await eventually(() => names().includes('room_finished'));
    });
    assert.deepEqual([names(), bodies.length], [['room_finished'], 2], `status ${status}`);
    assert.equal(events[0].numDropped, 1);
  }
});

test('the end of a focus still tells the end of its rooms', async () => {
  fresh();
  await withFocus(settings(), async ({ focus }) => {
    await new RoomServiceClient(focus.url, 'devkey', 'secret').createRoom({ name: 'other' });
    await eventually(() => names().length === 1);
  });
  assert.deepEqual(names(), ['room_started', 'room_finished']);
});
