import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ClientFacts, requestHeaders, withoutHopByHop } from './request-headers.ts';

const FACTS: ClientFacts = {
  region: 'us',
  regionHeader: 'x-region',
  peer: '203.0.113.9',
  isPeerTrusted: false,
  isUpgrade: false,
};

test('a region that the client wrote itself is replaced', () => {
  assert.equal(requestHeaders({ 'x-region': 'ap' }, FACTS)['x-region'], 'us');
});

test('a stranger cannot say whom it forwards for', () => {
  const forged = {
    host: 'meet.example',
    'x-forwarded-for': '1.2.3.4',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'evil.example',
    forwarded: 'for=1.2.3.4',
  };
  const headers = requestHeaders(forged, FACTS);
  assert.equal(headers['x-forwarded-for'], '203.0.113.9');
  assert.equal(headers['x-forwarded-proto'], 'http');
  assert.equal(headers['x-forwarded-host'], 'meet.example');
  assert.equal(headers['forwarded'], undefined);
});

test('a trusted proxy is continued: its chain grows by its own address, its scheme stays', () => {
  const received = { 'x-forwarded-for': '1.2.3.4, 10.0.0.2', 'x-forwarded-proto': 'https' };
  const headers = requestHeaders(received, { ...FACTS, peer: '10.0.0.1', isPeerTrusted: true });
  assert.equal(headers['x-forwarded-for'], '1.2.3.4, 10.0.0.2, 10.0.0.1');
  assert.equal(headers['x-forwarded-proto'], 'https');
});

test('tokens and what else concerns the focus pass as they came; what concerns one hop does not', () => {
  const received = {
    authorization: 'Bearer t',
    cookie: 'a=b',
    connection: 'keep-alive, x-private',
    'x-private': '1',
    te: 'trailers',
  };
  const headers = requestHeaders(received, FACTS);
  assert.deepEqual([headers['authorization'], headers['cookie']], ['Bearer t', 'a=b']);
  for (const name of ['connection', 'x-private', 'te']) assert.equal(headers[name], undefined, name);
});

test('a client cannot strip our region header by naming it in Connection', () => {
  assert.equal(requestHeaders({ connection: 'x-region, x-forwarded-for' }, FACTS)['x-region'], 'us');
});

test('an upgrade stays one, with its key and protocols', () => {
  const received = {
    connection: 'keep-alive, Upgrade',
    upgrade: 'websocket',
    'sec-websocket-key': 'k',
    'sec-websocket-protocol': 'a, b',
  };
  const headers = requestHeaders(received, { ...FACTS, isUpgrade: true });
  assert.deepEqual([headers['connection'], headers['upgrade']], ['Upgrade', 'websocket']);
  assert.deepEqual([headers['sec-websocket-key'], headers['sec-websocket-protocol']], ['k', 'a, b']);
});

test('an answer keeps several cookies apart', () => {
  assert.deepEqual(withoutHopByHop({ 'set-cookie': ['a=1', 'b=2'], 'keep-alive': 'timeout=5' }), {
    'set-cookie': ['a=1', 'b=2'],
  });
});
