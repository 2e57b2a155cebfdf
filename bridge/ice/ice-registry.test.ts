import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { BINDING_INDICATION, BINDING_REQUEST, BINDING_SUCCESS } from '../../protocol/stun/constants.ts';
import { encodeStun, type StunFields } from '../../protocol/stun/encode.ts';
import { integrityOf, StunMessage } from '../../protocol/stun/message.ts';
import { CONSENT_MS, type IceAgent } from './ice-agent.ts';
import { IceRegistry } from './ice-registry.ts';
import { PATHS_MAX } from './validated-paths.ts';

const TRANSACTION = new Uint8Array(12);

/** Bytes that look random and are the same in every run. */
function seededRandom(): (bytes: number) => Buffer {
  let counter = 0;
  return bytes => createHash('sha256').update(`seed ${counter++}`).digest().subarray(0, bytes);
}

function open(): { registry: IceRegistry<string>; agent: IceAgent<string> } {
  const registry = new IceRegistry<string>(seededRandom());
  return { registry, agent: registry.open('alice') };
}

function message(fields: Partial<StunFields>): StunMessage {
  const bytes = new Uint8Array(1280);
  const length = encodeStun(bytes, 0, { type: BINDING_REQUEST, transactionId: TRANSACTION, ...fields });
  const decoded = new StunMessage();
  decoded.decode(bytes, 0, length);
  return decoded;
}

/** A check as a controlling client makes it. */
function check(local: { ufrag: string; password: string }, fields: Partial<StunFields> = {}): StunMessage {
  return message({ username: `${local.ufrag}:remo`, key: local.password, controlling: 1n, priority: 1, ...fields });
}

test('credentials are long enough, of ice-chars only, and differ from agent to agent', () => {
  const { registry, agent } = open();
  const other = registry.open('bob');
  for (const { ufrag, password } of [agent.local, other.local]) {
    assert.match(ufrag, /^[A-Za-z0-9+/]{8}$/);
    assert.match(password, /^[A-Za-z0-9+/]{24}$/);
  }
  assert.notDeepEqual(agent.local, other.local);
});

test('a check with a known ufrag and valid integrity validates its address and finds its agent among others', () => {
  const { registry, agent } = open();
  const bob = registry.open('bob');
  const outcome = registry.handleMessage(5, check(bob.local), '192.0.2.1', 1000);
  assert.equal(outcome.kind === 'accept' && outcome.agent.holder, 'bob');
  assert.deepEqual(bob.paths.selected, { address: '192.0.2.1', port: 1000 });
  assert.equal(bob.lastHeardMs, 5);
  assert.equal(agent.isValidated, false);
});

test('nothing but a valid check changes anything, and the reason is given', () => {
  const { registry, agent } = open();
  const { ufrag, password } = agent.local;
  agent.generations[0].remoteUfrag = 'remo';
  const refused: [string, StunMessage][] = [
    ['not-a-request', check(agent.local, { type: BINDING_SUCCESS })],
    ['not-a-request', check(agent.local, { type: BINDING_INDICATION })],
    ['no-credentials', message({ username: `${ufrag}:remo` })],
    ['no-credentials', message({ key: password })],
    ['unknown-ufrag', message({ username: 'nobody:remo', key: password })],
    ['unknown-ufrag', message({ username: ufrag, key: password })],
    ['unknown-ufrag', message({ username: `remo:${ufrag}`, key: password })],
    ['bad-integrity', message({ username: `${ufrag}:remo`, key: 'guessed password of some length' })],
    ['remote-ufrag', message({ username: `${ufrag}:other`, key: password })],
  ];
  for (const [reason, bad] of refused) {
    assert.deepEqual(registry.handleMessage(1, bad, '198.51.100.1', 1), { kind: 'drop', reason });
  }
  assert.equal(agent.isValidated, false);
  assert.equal(agent.paths.selected, undefined);
});

test('a client that claims to be controlled is told of the conflict and gains nothing', () => {
  const { registry, agent } = open();
  const outcome = registry.handleMessage(
    1,
    check(agent.local, { controlling: undefined, controlled: 9n }),
    '192.0.2.1',
    1,
  );
  assert.equal(outcome.kind === 'refuse' && outcome.errorCode, 487);
  assert.equal(agent.isValidated, false);
});

test('a required attribute that we do not know is refused with 420, only for one who has the password', () => {
  const { registry, agent } = open();
  const withUnknown = (key: string) => {
    const bytes = new Uint8Array(1280);
    const username = `${agent.local.ufrag}:remo`;
    const end = encodeStun(bytes, 0, {
      type: BINDING_REQUEST,
      transactionId: TRANSACTION,
      username,
      priority: 1,
      fingerprint: false,
    });
    bytes[end - 8] = 0x7f; // PRIORITY becomes an unassigned type
    bytes.set([0x00, 0x08, 0x00, 0x14], end);
    bytes.set(integrityOf(bytes, 0, end, key), end + 4);
    bytes[3] += 24;
    const decoded = new StunMessage();
    decoded.decode(bytes, 0, end + 24);
    return decoded;
  };
  const stranger = registry.handleMessage(1, withUnknown('guessed password of some length'), '192.0.2.1', 1);
  assert.deepEqual(stranger, { kind: 'drop', reason: 'bad-integrity' });
  const outcome = registry.handleMessage(1, withUnknown(agent.local.password), '192.0.2.1', 1);
  assert.equal(outcome.kind === 'refuse' && outcome.errorCode, 420);
  assert.equal(agent.isValidated, false);
});

test('the first validated path is used until one is nominated, and the last nomination counts', () => {
  const { registry, agent } = open();
  const from = (port: number, useCandidate: boolean) =>
    registry.handleMessage(port, check(agent.local, useCandidate ? { useCandidate } : {}), '192.0.2.1', port);
  from(1, false);
  from(2, false);
  assert.equal(agent.paths.selected?.port, 1);
  from(2, true);
  assert.equal(agent.paths.selected?.port, 2);
  from(3, false);
  assert.equal(agent.paths.selected?.port, 2, 'a check alone does not move a nomination');
  from(3, true);
  assert.equal(agent.paths.selected?.port, 3);
  from(2, true);
  assert.equal(agent.paths.selected?.port, 2, 'back to an earlier path');
});

test('validated addresses are bounded: the oldest goes, never the one in use', () => {
  const { registry, agent } = open();
  for (let port = 1; port <= PATHS_MAX; port++) {
    const outcome = registry.handleMessage(port, check(agent.local), '192.0.2.1', port);
    assert.equal(outcome.kind === 'accept' && outcome.dropped, undefined);
  }
  const outcome = registry.handleMessage(100, check(agent.local), '192.0.2.1', 100);
  assert.deepEqual(outcome.kind === 'accept' && outcome.dropped, { address: '192.0.2.1', port: 2 });
  assert.equal(agent.paths.all.length, PATHS_MAX);
  assert.equal(agent.paths.selected?.port, 1);
});

test('after a restart the old credentials work until the new ones have been used, then no more', () => {
  const { registry, agent } = open();
  const old = agent.local;
  registry.handleMessage(1, check(old), '192.0.2.1', 1);
  registry.restart(agent, 1);
  assert.equal(agent.generation, 1);
  assert.notDeepEqual(agent.local, old);
  assert.equal(registry.handleMessage(2, check(old), '192.0.2.1', 1).kind, 'accept');
  assert.equal(registry.handleMessage(3, check(agent.local), '192.0.2.1', 2).kind, 'accept');
  assert.deepEqual(registry.handleMessage(4, check(old), '192.0.2.1', 1), { kind: 'drop', reason: 'unknown-ufrag' });
});

test('two restarts in a row keep the credentials in use and the newest', () => {
  const { registry, agent } = open();
  const used = agent.local;
  registry.handleMessage(1, check(used), '192.0.2.1', 1);
  registry.restart(agent, 1);
  const skipped = agent.local;
  registry.restart(agent, 2);
  assert.equal(registry.handleMessage(2, check(skipped), '192.0.2.1', 1).kind, 'drop');
  assert.equal(registry.handleMessage(2, check(used), '192.0.2.1', 1).kind, 'accept');
  assert.equal(registry.handleMessage(2, check(agent.local), '192.0.2.1', 1).kind, 'accept');
});

test('each generation has its own remote ufrag', () => {
  const { registry, agent } = open();
  const old = agent.local;
  agent.generations[0].remoteUfrag = 'remo';
  registry.handleMessage(1, check(old), '192.0.2.1', 1);
  registry.restart(agent, 1);
  agent.generations[0].remoteUfrag = 'new1';
  const fresh = agent.local;
  assert.equal(registry.handleMessage(2, check(old), '192.0.2.1', 1).kind, 'accept');
  assert.equal(registry.handleMessage(2, check(fresh), '192.0.2.1', 1).kind, 'drop');
  assert.equal(
    registry.handleMessage(2, check(fresh, { username: `${fresh.ufrag}:new1` }), '192.0.2.1', 1).kind,
    'accept',
  );
});

test('consent is lost after 30 s of silence; a check or an authenticated packet renews it', () => {
  const { registry, agent } = open();
  assert.equal(agent.hasLostConsent(CONSENT_MS * 2), false, 'there is none to lose before the first check');
  registry.handleMessage(1000, check(agent.local), '192.0.2.1', 1);
  assert.equal(agent.hasLostConsent(1000 + CONSENT_MS), false);
  assert.equal(agent.hasLostConsent(1001 + CONSENT_MS), true);
  agent.refresh(20_000);
  assert.equal(agent.hasLostConsent(20_000 + CONSENT_MS), false);
});

test('a closed agent is a stranger', () => {
  const { registry, agent } = open();
  registry.restart(agent, 1);
  registry.close(agent);
  for (const { local } of agent.generations) {
    assert.deepEqual(registry.handleMessage(1, check(local), '192.0.2.1', 1), {
      kind: 'drop',
      reason: 'unknown-ufrag',
    });
  }
});

test('the integrity is not computed for an unknown ufrag: a flood costs a look-up', () => {
  const { registry } = open();
  const flood = message({ username: 'nobody:remo', key: 'x' });
  flood.hasIntegrity = () => assert.fail('HMAC computed');
  assert.equal(registry.handleMessage(1, flood, '192.0.2.1', 1).kind, 'drop');
});
