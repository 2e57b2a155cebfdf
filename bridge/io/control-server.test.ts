import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { BridgeReport } from '../../protocol/control/events.ts';
import { signServiceToken } from '../../protocol/control/service-token.ts';
import { Neighbours } from '../neighbours.ts';
import { BridgeBox, conferenceSpec, endpointSpec } from '../testing/bridge-box.ts';
import { buildControlServer } from './control-server.ts';
import { EventStreams } from './event-streams.ts';

const SECRET = 'a secret that only tests know, 32+';

describe('the control API', () => {
  const box = new BridgeBox('a');
  const events = new EventStreams();
  let app: FastifyInstance;
  let authorization: string;

  before(async () => {
    app = await buildControlServer({
      neighbours: new Neighbours(),
      setState: ({ state }) => box.bridge.setDraining(state === 'draining'),
      bridge: box.bridge,
      secret: SECRET,
      report: () => ({ bootId: 'boot-1' }) as BridgeReport,
      datapath: { name: 'portable', reason: 'no node:ffi' },
      events,
      metrics: new Registry(),
      nowMs: () => box.nowMs,
      log: pino({ level: 'silent' }),
    });
    authorization = `Bearer ${await signServiceToken(SECRET, 'focus-1')}`;
    await app.listen({ port: 0, host: '127.0.0.1' });
  });

  after(async () => {
    events.close();
    await app.close();
  });

  function send(method: 'GET' | 'PUT' | 'DELETE' | 'POST', url: string, body?: object) {
    return app.inject({ method, url, headers: { authorization }, ...(body !== undefined && { payload: body }) });
  }

  test('nothing is done without a service token', async () => {
    const foreign = `Bearer ${await signServiceToken('another secret, as long as the first', 'focus-1')}`;
    for (const headers of [{}, { authorization: 'Bearer x' }, { authorization: foreign }]) {
      const response = await app.inject({ method: 'DELETE', url: '/v1/conferences/00000007', headers });
      assert.equal(response.statusCode, 401);
      assert.equal(response.json().error.code, 'unauthorized');
    }
    assert.equal((await app.inject({ method: 'GET', url: '/healthz' })).statusCode, 200);
  });

  test('a bridge says how its packets move, and why that way', async () => {
    const response = await send('GET', '/v1/bridge');
    assert.deepEqual(response.json(), { bootId: 'boot-1', datapath: { name: 'portable', reason: 'no node:ffi' } });
  });

  test('an endpoint document is answered with the bridge side of its transport', async () => {
    const response = await send('PUT', '/v1/conferences/00000007/endpoints/00000001', endpointSpec({ version: 3 }));
    assert.equal(response.statusCode, 200);
    assert.equal(response.json().version, 3);
    assert.equal(response.json().dtls.setup, 'passive');
    assert.equal(response.json().candidates[0].port, 10_000);
  });

  test('a stale document is answered 409 with the version in force', async () => {
    const response = await send('PUT', '/v1/conferences/00000007/endpoints/00000001', endpointSpec({ version: 2 }));
    assert.equal(response.statusCode, 409);
    assert.deepEqual({ ...response.json().error, message: '' }, { code: 'stale-version', message: '', version: 3 });
  });

  test('a wrong document is refused with what is wrong, and changes nothing', async () => {
    const spec = { ...endpointSpec({ version: 4 }), sources: [{ sourceId: 300 }] };
    const response = await send('PUT', '/v1/conferences/00000007/endpoints/00000001', spec);
    assert.equal(response.statusCode, 400);
    assert.match(response.json().error.message, /sources/);
    assert.equal(box.endpoint(1).spec?.version, 3);
    assert.equal((await send('DELETE', '/v1/conferences/seven')).statusCode, 400);
    assert.equal((await send('GET', '/v1/nowhere')).json().error.code, 'unknown-path');
  });

  test('what flows and why can be asked for', async () => {
    await send('PUT', '/v1/conferences/00000007', conferenceSpec(1, ['a'], {}));
    const response = await send('GET', '/v1/conferences/00000007');
    assert.equal(response.json().endpoints[0].identity, 'somebody');
    assert.equal((await send('GET', '/v1/conferences/00000009')).statusCode, 404);
  });

  test('a bridge is drained by request, and taken back', async () => {
    assert.equal((await send('PUT', '/v1/bridge/state', { state: 'gone' })).statusCode, 400);
    await send('PUT', '/v1/bridge/state', { state: 'draining' });
    const refused = await send('PUT', '/v1/conferences/00000007/endpoints/00000002', endpointSpec({}));
    assert.equal(refused.statusCode, 503);
    assert.equal(refused.json().error.code, 'draining');
    assert.equal((await send('PUT', '/v1/bridge/state', { state: 'running' })).statusCode, 200);
    assert.equal(box.bridge.isDraining, false);
  });

  test('an event stream opens with hello and a snapshot, then tells what changes', async () => {
    const { port } = app.server.address() as { port: number };
    const response = await fetch(`http://127.0.0.1:${port}/v1/events?focus=f1`, { headers: { authorization } });
    assert.equal(response.headers.get('content-type'), 'application/x-ndjson');
    const lines: string[] = [];
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    const next = async () => {
      while (lines.length === 0) {
        const { value = '', done } = await reader.read();
        assert.ok(!done, 'the stream stays open');
        const parts = (rest + value).split('\n');
        rest = parts.pop()!;
        lines.push(...parts);
      }
      return JSON.parse(lines.shift()!);
    };
    assert.equal((await next()).kind, 'hello');
    assert.deepEqual(await next(), {
      kind: 'endpoint',
      conferenceId: '00000007',
      endpointId: '00000001',
      state: 'new',
      reason: 'snapshot',
    });
    events.emit({ kind: 'speakers', conferenceId: '00000007', speakers: [] });
    assert.equal((await next()).kind, 'speakers');
    await reader.cancel();
  });

  test('deleting is idempotent', async () => {
    for (let time = 0; time < 2; time++) {
      assert.equal((await send('DELETE', '/v1/conferences/00000007/endpoints/00000001')).statusCode, 204);
      assert.equal((await send('DELETE', '/v1/conferences/00000007')).statusCode, 204);
    }
    assert.equal(box.bridge.conferences.size, 0);
  });
});
