import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import type { BridgeId } from '../../protocol/ids.ts';
import type { KnownBridge } from '../bridges/bridge-registry.ts';
import { readFocusConfig } from '../config.ts';
import { createFocusMetrics } from '../metrics.ts';
import type { JoinPlacement } from '../placement/placement.ts';
import { createPlacements } from '../placement/placements.ts';
import { createRegionDistances } from '../placement/region-distance.ts';
import { createMemoryStore } from '../store/memory-store.ts';
import { sampleReport } from '../store/store-contract.ts';
import { createHttpPlacement } from './http-placement-service.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const names =
  (bridge: string | null): Answer =>
  (_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ bridge }));
  };
const silence: Answer = () => {};

interface Setting {
  readonly answer: Answer;
  readonly flags?: Record<string, unknown>;
}

/** Placements by a real service on loopback that answers as it is told. */
async function withService(
  { answer, flags = {} }: Setting,
  work: (running: Awaited<ReturnType<typeof start>>) => Promise<void>,
): Promise<void> {
  const running = await start(answer, flags);
  try {
    await work(running);
  } finally {
    running.server.closeAllConnections();
    running.server.close();
  }
}

async function start(first: Answer, flags: Record<string, unknown>) {
  const asked: { body: Record<string, unknown>; headers: IncomingMessage['headers'] }[] = [];
  const state = { answer: first, nowMs: 1_700_000_000_000 };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    asked.push({ body: JSON.parse(Buffer.concat(chunks).toString()), headers: request.headers });
    state.answer(request, response);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/choose?key=in-the-query`;
  const logged: string[] = [];
  const { placement } = readFocusConfig({
    env: {},
    flags: {
      development: true,
      'placement.kind': 'http',
      'placement.http.url': url,
      'placement.http.timeout_ms': 2_000,
      'placement.http.secret': 'the-service-secret',
      ...flags,
    },
  });
  let round = 0;
  const nowMs = () => state.nowMs;
  const memory = createMemoryStore(nowMs, () => (++round % 9973) / 9973);
  const reports = [sampleReport('b1'), sampleReport('b2'), sampleReport('b3', { state: 'draining' })];
  for (const report of reports) await memory.putBridge(report);
  const trips: string[] = [];
  const store = new Proxy(memory, {
    get(target, name) {
      const method = target[name as keyof typeof target] as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => {
        trips.push(String(name));
        return method.apply(target, args);
      };
    },
  });
  const bridges = (): KnownBridge[] =>
    reports.map(report => ({ bridgeId: report.peer.bridgeId as BridgeId, report, reportedAtMs: state.nowMs }));
  const metrics = createFocusMetrics();
  const log = pino({ level: 'trace' }, { write: (line: string) => logged.push(line) });
  const placements = createPlacements({
    store,
    settings: placement,
    distances: createRegionDistances([]),
    focusId: 'focus-1',
    metrics,
    service: createHttpPlacement({ settings: placement, bridges, log, nowMs }),
    uint32: () => 0,
  });
  const join = async (changes: Partial<JoinPlacement> = {}) => {
    const identity = `p${round++}`;
    const placed = await placements.join({
      room: `room-${identity}`,
      createAs: { roomSid: 'RM_1' },
      identity,
      sid: `PA_${identity}`,
      region: 'eu',
      participantsMax: 0,
      ...changes,
    });
    assert.ok(placed.kind === 'placed');
    return placed.placement;
  };
  return { server, state, asked, logged, metrics, join, trips };
}

test('the bridge that the service names gets the participant, and the answer is explained', async () => {
  await withService({ answer: names('b2') }, async ({ join, asked, trips }) => {
    const present = { peopleOf: () => 0, onBridge: (bridgeId: BridgeId) => (bridgeId === 'b2' ? 3 : 0) };
    const placement = await join({ room: 'talk', present });
    assert.deepEqual([placement.bridgeId, placement.rule, placement.service], ['b2', 'named-by-service', 'followed']);
    const [{ body, headers }] = asked as [(typeof asked)[number]];
    assert.equal(headers.authorization, 'Bearer the-service-secret');
    assert.deepEqual([body.room, body.region], ['talk', 'eu']);
    const [b1, b2, b3] = body.candidates as Record<string, unknown>[];
    assert.deepEqual([b1!.bridgeId, b1!.inConference, b2!.inConference, b3!.state], ['b1', 0, 3, 'draining']);
    assert.deepEqual(trips, ['assign'], 'one round trip to the store, as ever');
  });
});

describe('the fallback decides', () => {
  const answers: readonly [name: string, answer: Answer, outcome: string][] = [
    ['without an opinion', names(null), 'no-opinion'],
    ['at 204', (_request, response) => response.writeHead(204).end(), 'no-opinion'],
    ['when an unknown bridge is named', names('b9'), 'unknown-bridge'],
    ['when a bridge is named that is to be emptied', names('b3'), 'unfit-bridge'],
    ['at an error', (_request, response) => response.writeHead(500).end('{"bridge":"b2"}'), 'failed'],
    ['at a redirect', (_request, response) => response.writeHead(307, { location: '/other' }).end(), 'failed'],
    ['when it hangs up', request => request.socket.destroy(), 'failed'],
    ['at what is no JSON', (_request, response) => response.end('b2'), 'invalid-answer'],
    ['at JSON that is no answer', (_request, response) => response.end('["b2"]'), 'invalid-answer'],
    ['at a name that is none', (_request, response) => response.end('{"bridge":7}'), 'invalid-answer'],
    [
      'at an answer without end',
      (_request, response) => response.end(`{"bridge":"${'b'.repeat(9_999)}"}`),
      'invalid-answer',
    ],
  ];
  for (const [name, answer, outcome] of answers) {
    test(name, async () => {
      await withService({ answer }, async ({ join, metrics }) => {
        const placement = await join();
        assert.deepEqual([placement.bridgeId, placement.rule, placement.service], ['b1', 'in-region', outcome]);
        assert.match(await metrics.registry.metrics(), new RegExp(`advice_total\\{outcome="${outcome}"\\} 1`));
      });
    });
  }

  test('by the rule set that is configured for it', async () => {
    const flags = { 'placement.http.fallback': 'split' };
    await withService({ answer: names(null), flags }, async ({ join }) => {
      assert.equal((await join()).rule, 'fewest-of-conference');
    });
  });
});

test('a service that is silent costs the first joins its time limit, and those after them nothing', async () => {
  const flags = { 'placement.http.timeout_ms': 200, 'placement.http.failures_max': 2 };
  await withService({ answer: silence, flags }, async ({ join, asked, logged, state }) => {
    const outcomes = [];
    for (let index = 0; index < 5; index++) outcomes.push((await join()).service);
    assert.deepEqual(outcomes, ['timed-out', 'timed-out', 'not-asked', 'not-asked', 'not-asked']);
    assert.equal(asked.length, 2);
    assert.equal(logged.length, 1);
    assert.match(logged[0]!, /does not answer/);
    // Alive again: a join does not wait for the probe, those after it are decided by the service.
    state.answer = names('b2');
    state.nowMs += 1_000;
    assert.equal((await join()).service, 'not-asked');
    while ((await join()).service !== 'followed') {
      // A probe may come late on a busy machine: there is another.
      state.nowMs += 1_000;
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    assert.match(logged.at(-1)!, /answers again/);
  });
});

test('no log line has the secret, or the query of the URL', async () => {
  const flags = { 'placement.http.failures_max': 1 };
  await withService({ answer: request => request.socket.destroy(), flags }, async ({ join, logged }) => {
    await join();
    assert.equal(logged.length, 1);
    assert.doesNotMatch(logged.join(), /the-service-secret|in-the-query/);
  });
});

test('a room that asks for the service where none is configured is placed by the fallback, and told why', async () => {
  const flags = { 'placement.kind': 'region', 'placement.http.url': '' };
  await withService({ answer: names('b2'), flags }, async ({ join, asked }) => {
    const placement = await join({ override: { kind: 'http' } });
    assert.deepEqual(
      [placement.rule, placement.service, placement.policyFrom],
      ['in-region', 'not-configured', 'override by metadata'],
    );
    assert.equal(asked.length, 0);
  });
});
