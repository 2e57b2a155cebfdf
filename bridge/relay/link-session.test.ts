import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PORTABLE_FRAME_CIPHERS } from '../../protocol/octo/aead.ts';
import { FrameHeader, HEADER_BYTES, writeHeader } from '../../protocol/octo/header.ts';
import { cutSessionKeys, EXPORTER_BYTES, type LinkRole } from '../../protocol/octo/keys.ts';
import { createLinkCounters } from './link-counters.ts';
import { LinkSession, REKEY_AGE_MS, REKEY_FRAMES, SESSION_FRAMES_MAX } from './link-session.ts';
import { CLASS_VIDEO } from './media-class.ts';
import { SessionSet } from './session-set.ts';

function session(role: LinkRole, secret: number, label = 0): LinkSession {
  const material = Buffer.alloc(EXPORTER_BYTES, secret);
  material.fill(secret + 1, 16, 32);
  material[56] = label;
  return new LinkSession(0, cutSessionKeys(material, role), createLinkCounters(), PORTABLE_FRAME_CIPHERS);
}

/** A frame of `from`, and how `set` opens it. */
function openWith(set: SessionSet, from: LinkSession, nowMs = 0): LinkSession | string {
  const bytes = Buffer.alloc(64);
  writeHeader(bytes, 0, 0, 0, 0, 1, 2, 3);
  const length = from.seal(nowMs, bytes, 0, HEADER_BYTES + 4, true, CLASS_VIDEO);
  const header = new FrameHeader();
  header.decode(bytes, 0, length);
  return set.open(nowMs, header.label, header.sequence, bytes, 0, length);
}

test('new keys are due by count in either direction or by age, and a session ends at what AES-GCM allows', () => {
  const young = session('client', 1);
  assert.equal(young.needsRekey(REKEY_AGE_MS - 1), false);
  assert.equal(young.needsRekey(REKEY_AGE_MS), true);
  young.recovery.handleArrival(0, REKEY_FRAMES - 1);
  assert.equal(young.needsRekey(0), true);
  assert.equal(young.isSpent, false);
  young.recovery.handleArrival(0, SESSION_FRAMES_MAX - 1);
  assert.equal(young.isSpent, true);
});

test('the server goes on with the former session until the client has used the next one', () => {
  const set = new SessionSet();
  const former = session('server', 1);
  const next = session('server', 5);
  set.install(0, former);
  set.expect(next);
  assert.equal(openWith(set, session('client', 1)), former);
  assert.equal(set.current, former);
  assert.equal(openWith(set, session('client', 5)), next);
  assert.equal(set.current, next);
  assert.equal(set.previous, former);
});

test('the former session is received on for two seconds, and not a moment longer', () => {
  const set = new SessionSet();
  const former = session('server', 1);
  const peer = session('client', 1);
  set.install(0, former);
  set.install(100, session('server', 5));
  set.handleTimeout(2099);
  assert.equal(openWith(set, peer, 2099), former);
  set.handleTimeout(2100);
  assert.equal(openWith(set, peer, 2100), 'forged');
});

test('sessions of the same label are told apart by their keys, those of another are not even tried', () => {
  const set = new SessionSet();
  const former = session('server', 1, 2);
  set.install(0, former);
  set.install(0, session('server', 5, 2));
  assert.equal(openWith(set, session('client', 1, 2)), former);
  assert.equal(openWith(set, session('client', 1, 3)), 'forged');
});
