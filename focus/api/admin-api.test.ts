import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { signServiceToken } from '../../protocol/control/service-token.ts';
import { sampleReport } from '../store/store-contract.ts';
import { CONTROL_SECRET, fakeRooms, type RunningApi, startApi, token } from './api.fixture.ts';

const summary = (name: string) => ({
  name,
  sid: `RM_${name}`,
  conferenceId: '0000002a',
  createdAtMs: 1,
  participants: [{ identity: 'ann', sid: 'PA_1', endpointId: '00000001', region: 'eu', bridge: 'b1', state: 'active' }],
});
const { rooms } = fakeRooms({ summaries: [summary('other'), summary('talk')] });
let api: RunningApi;
let service: string;

/** A fresh API for each test of the suite that calls this. */
function startForEach(): void {
  beforeEach(async () => {
    service = `Bearer ${await signServiceToken(CONTROL_SECRET, 'b1')}`;
    api = await startApi(rooms);
  });
  afterEach(() => api.app.close());
}

async function read<T>(path: string, authorization?: string): Promise<{ status: number; body: T }> {
  const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
  const response = await fetch(api.url + path, { headers });
  return { status: response.status, body: (await response.json()) as T };
}

async function report(body: unknown, authorization: string | undefined, bridgeId = 'b1'): Promise<Response> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (authorization !== undefined) headers['authorization'] = authorization;
  return fetch(`${api.url}/v1/bridges/${bridgeId}`, { method: 'PUT', headers, body: JSON.stringify(body) });
}

async function join(identity: string, room: string) {
  const sid = `PA_${room}_${identity}`;
  await api.placements.join({
    room,
    createAs: { roomSid: `RM_${room}` },
    identity,
    sid,
    region: 'eu',
    participantsMax: 0,
  });
  return sid;
}

type ErrorBody = { error: { code: string; message: string } };

describe('bridge registration', () => {
  startForEach();

  test('a report makes the bridge known, up and placed on', async () => {
    assert.equal((await report(sampleReport('b1'), service)).status, 204);
    assert.deepEqual(api.heard, ['up b1']);
    assert.deepEqual(
      (await api.store.bridges()).map(({ bridgeId }) => bridgeId),
      ['b1'],
    );
    const text = await api.metrics.registry.metrics();
    assert.match(text, /causeway_focus_bridges\{region="eu",state="running"\} 1/);
  });

  test('a new boot under the same name is a bridge that went and came', async () => {
    await report(sampleReport('b1'), service);
    await report(sampleReport('b1'), service);
    await report(sampleReport('b1', { bootId: 'next' }), service);
    assert.deepEqual(api.heard, ['up b1', 'down b1 restarted', 'up b1']);
  });

  test('a report without a valid service token is refused, whatever it says', async () => {
    const stranger = await signServiceToken('another-secret-of-at-least-32-characters', 'b1');
    for (const authorization of [
      undefined,
      `Bearer ${stranger}`,
      `Bearer ${await token({ roomAdmin: true, room: 'talk' })}`,
    ]) {
      const response = await report({ not: 'a report' }, authorization);
      assert.equal(response.status, 401);
      assert.equal(((await response.json()) as ErrorBody).error.code, 'invalid-service-token');
    }
    assert.deepEqual(await api.store.bridges(), []);
  });

  test('a report that breaks the schema is refused, not repaired', async () => {
    const wrong = { ...sampleReport('b1'), load: { ...sampleReport('b1').load, stress: '0.5' } };
    const response = await report(wrong, service);
    assert.equal(response.status, 400);
    assert.match(((await response.json()) as ErrorBody).error.message, /\/load\/stress/);
  });

  test('a bridge reports for itself only', async () => {
    const response = await report(sampleReport('b2'), service, 'b1');
    assert.equal(((await response.json()) as ErrorBody).error.code, 'wrong-bridge');
  });
});

describe('the admin API', () => {
  startForEach();

  test('shows bridges with their load and what was placed since', async () => {
    await report(sampleReport('b1'), service);
    await join('ann', 'talk');
    const { status, body } = await read<{ bridges: Record<string, unknown>[] }>('/v1/bridges', service);
    assert.equal(status, 200);
    const { bridgeId, region, state, placedSinceReport, load } = body.bridges[0]!;
    assert.deepEqual([bridgeId, region, state, placedSinceReport], ['b1', 'eu', 'running', 1]);
    assert.equal((load as { stress: number }).stress, 0);
  });

  test('says which rule put a participant where, by SID and by identity', async () => {
    await report(sampleReport('b1'), service);
    const sid = await join('ann', 'talk');
    for (const name of [sid, 'ann']) {
      const { body } = await read<{ placement: object }>(`/v1/placements/${name}`, service);
      assert.deepEqual(
        { ...body.placement, at: 0 },
        {
          bridgeId: 'b1',
          bridgeRegion: 'eu',
          stress: 0,
          rule: 'in-region',
          policy: { kind: 'region', sort_by: 'stress', algorithm: 'lowest' },
          region: 'eu',
          placedFor: 'eu',
          considered: 1,
          candidates: [
            {
              bridgeId: 'b1',
              region: 'eu',
              stress: 0,
              inConference: 0,
              reportedStress: 0,
              unseenEndpoints: 0,
              joinsLastMinute: 0,
              measure: 0,
            },
          ],
          at: 0,
        },
      );
    }
    const missing = await read<ErrorBody>('/v1/placements/nobody', service);
    assert.deepEqual([missing.status, missing.body.error.code], [404, 'placement-not-found']);
  });

  test('roomList sees every room, roomAdmin its own only', async () => {
    await report(sampleReport('b1'), service);
    await join('ann', 'other');
    await join('ann', 'talk');
    await join('bob', 'other');
    const names = async (grant: Parameters<typeof token>[0]) => {
      const authorization = `Bearer ${await token(grant)}`;
      const listed = await read<{ rooms: { name: string }[] }>('/v1/rooms', authorization);
      const placed = await read<{ placements: { room: string }[] }>('/v1/placements', authorization);
      return [listed.body.rooms.map(({ name }) => name), placed.body.placements.map(({ room }) => room)];
    };
    assert.deepEqual(await names({ roomList: true }), [
      ['other', 'talk'],
      ['other', 'talk', 'other'],
    ]);
    assert.deepEqual(await names({ roomAdmin: true, room: 'other' }), [['other'], ['other', 'other']]);

    const adminOfTalk = `Bearer ${await token({ roomAdmin: true, room: 'talk' })}`;
    assert.equal((await read('/v1/placements/bob', adminOfTalk)).status, 404);
    assert.equal((await read<{ room: string }>('/v1/placements/ann', adminOfTalk)).body.room, 'talk');
  });

  test('is closed to everybody else', async () => {
    const paths = ['/v1/bridges', '/v1/placements', '/v1/placements/ann', '/v1/rooms'];
    const participant = `Bearer ${await token({ roomJoin: true, room: 'talk' })}`;
    for (const authorization of [
      undefined,
      'Bearer nonsense',
      participant,
      `Bearer ${await token({ roomAdmin: true })}`,
    ]) {
      for (const path of paths) assert.equal((await read(path, authorization)).status, 401, `${path} ${authorization}`);
    }
  });
});

describe('health', () => {
  startForEach();

  test('a focus without a bridge is alive and not ready; with one it is ready', async () => {
    assert.deepEqual(await read('/healthz'), { status: 200, body: { status: 'ok' } });
    assert.deepEqual(await read('/readyz'), {
      status: 503,
      body: { ready: false, problems: ['no bridge has reported lately'] },
    });
    await report(sampleReport('b1'), service);
    assert.deepEqual(await read('/readyz'), { status: 200, body: { ready: true, problems: [] } });
  });

  test('a focus whose store is away is alive and not ready', async () => {
    const other = await startApi(rooms, { ping: () => Promise.reject(new Error('away')) });
    try {
      assert.equal((await fetch(`${other.url}/healthz`)).status, 200);
      const response = await fetch(`${other.url}/readyz`);
      assert.deepEqual(
        [response.status, await response.json()],
        [503, { ready: false, problems: ['the store does not answer'] }],
      );
    } finally {
      await other.app.close();
    }
  });

  test('metrics are in the form Prometheus reads, and each focus has its own', async () => {
    api.metrics.rooms.set(3);
    const response = await fetch(`${api.url}/metrics`);
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    assert.match(await response.text(), /causeway_focus_rooms 3/);
    const other = await startApi(rooms);
    try {
      assert.match(await (await fetch(`${other.url}/metrics`)).text(), /causeway_focus_rooms 0/);
    } finally {
      await other.app.close();
    }
  });
});

describe('the OpenAPI document', () => {
  startForEach();

  test('it has the admin, control and health routes', async () => {
    const { body } = await read<{ openapi: string; paths: Record<string, Record<string, { security?: unknown }>> }>(
      '/v1/openapi.json',
    );
    assert.equal(body.openapi, '3.1.0');
    assert.deepEqual(Object.keys(body.paths).toSorted(), [
      '/healthz',
      '/metrics',
      '/readyz',
      '/v1/bridge-health',
      '/v1/bridges',
      '/v1/bridges/{bridgeId}',
      '/v1/bridges/{bridgeId}/state',
      '/v1/focuses',
      '/v1/focuses/{focusId}/state',
      '/v1/links',
      '/v1/placements',
      '/v1/placements/{participant}',
      '/v1/rooms',
    ]);
    assert.deepEqual(body.paths['/v1/rooms']!['get']!.security, [{ bearer: [] }]);
  });
});
