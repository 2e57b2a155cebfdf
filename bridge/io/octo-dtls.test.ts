import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { BridgePeer } from '../../protocol/control/spec.ts';
import type { BridgeId, ConferenceId, EndpointId, SourceId } from '../../protocol/ids.ts';
import type { LinkRole, SessionKeys } from '../../protocol/octo/keys.ts';
import { RtpPacket } from '../../protocol/rtp/packet.ts';
import type { Handshake } from '../relay/handshake.ts';
import type { Link } from '../relay/link.ts';
import { CLASS_VIDEO } from '../relay/media-class.ts';
import { Relay } from '../relay/relay.ts';
import type { RelaySink } from '../relay/relay-sink.ts';
import { TEST_DATAPATH } from '../testing/datapath.ts';
import { type Certificate, createCertificate } from './certificate.ts';
import type { DatagramPort } from './datagram-port.ts';
import { octoHandshakes } from './octo-dtls.ts';

let certificates: readonly [Certificate, Certificate, Certificate];
before(async () => {
  certificates = [await createCertificate(), await createCertificate(), await createCertificate()];
});

/** Two handshakes and a wire between them; `isLost` sees each datagram in order of sending. */
class Wire {
  keys: Partial<Record<LinkRole, SessionKeys>> = {};
  failed: string[] = [];
  sent: { from: LinkRole; bytes: Buffer }[] = [];
  nowMs = 0;
  readonly ends: Record<LinkRole, Handshake>;
  readonly #isLost: (index: number) => boolean;
  #count = 0;

  constructor(expected: Record<LinkRole, string>, isLost: (index: number) => boolean = () => false) {
    this.#isLost = isLost;
    const [forClient, forServer] = certificates;
    const start = (role: LinkRole, certificate: Certificate) =>
      octoHandshakes(certificate)({
        role,
        peerFingerprint: expected[role],
        nowMs: 0,
        send: bytes => this.#send(role, Buffer.from(bytes)),
        onKeys: keys => {
          this.keys[role] = keys;
        },
        onFailed: reason => this.failed.push(`${role}: ${reason}`),
      });
    this.ends = { server: start('server', forServer), client: start('client', forClient) };
  }

  /** Passes on what is under way until nothing is. */
  async settle(): Promise<void> {
    for (let idle = 0; idle < 5; ) {
      const next = this.sent.shift();
      if (next !== undefined) {
        const to = next.from === 'client' ? 'server' : 'client';
        this.ends[to].handleDatagram(this.nowMs, next.bytes, 0, next.bytes.length);
      }
      await turn();
      idle = this.sent.length === 0 ? idle + 1 : 0;
    }
  }

  /** Lets `ms` pass for both ends. */
  async advance(ms: number): Promise<void> {
    this.nowMs += ms;
    this.ends.client.handleTimeout(this.nowMs);
    this.ends.server.handleTimeout(this.nowMs);
    await this.settle();
  }

  close(): void {
    this.ends.client.close();
    this.ends.server.close();
  }

  #send(from: LinkRole, bytes: Buffer): void {
    if (!this.#isLost(this.#count++)) this.sent.push({ from, bytes });
  }
}

function pinned(): Record<LinkRole, string> {
  return { client: certificates[1].fingerprint.value, server: certificates[0].fingerprint.value };
}

test('both sides get mirrored keys in six datagrams and without a timer', async () => {
  let datagrams = 0;
  const wire = new Wire(pinned(), () => {
    datagrams++;
    return false;
  });
  await wire.settle();
  const { client, server } = wire.keys;
  assert.ok(client !== undefined && server !== undefined);
  assert.deepEqual(client.sendKey, server.receiveKey);
  assert.deepEqual(client.receiveKey, server.sendKey);
  assert.deepEqual(client.sendSalt, server.receiveSalt);
  assert.deepEqual(client.receiveSalt, server.sendSalt);
  assert.equal(client.label, server.label);
  assert.notDeepEqual(client.sendKey, client.receiveKey);
  assert.equal(datagrams, 6);
  wire.close();
});

test('any one lost datagram is made good within 200 ms', async () => {
  for (let lost = 0; lost < 6; lost++) {
    const wire = new Wire(pinned(), index => index === lost);
    await wire.settle();
    for (let waitedMs = 0; waitedMs < 200; waitedMs += 10) await wire.advance(10);
    assert.deepEqual(wire.keys.client?.sendKey, wire.keys.server?.receiveKey, `datagram ${lost}`);
    assert.ok(wire.keys.client !== undefined, `datagram ${lost}: no keys`);
    wire.close();
  }
});

test('waits that have grown in one flight are short again in the next', async () => {
  // The hello and its first repetition, and then the hello with the cookie.
  const wire = new Wire(pinned(), index => index < 2 || index === 4);
  await wire.settle();
  for (let waitedMs = 0; waitedMs < 150 + 300; waitedMs += 10) await wire.advance(10);
  assert.equal(wire.keys.client, undefined);
  for (let waitedMs = 0; waitedMs < 150; waitedMs += 10) await wire.advance(10);
  assert.ok(wire.keys.client !== undefined && wire.keys.server !== undefined);
  wire.close();
});

test('a nudge repeats a hello that nobody has answered, at once', async () => {
  const wire = new Wire(pinned(), index => index === 0);
  await wire.settle();
  assert.equal(wire.keys.client, undefined);
  wire.ends.client.handleNudge(0);
  await wire.settle();
  assert.ok(wire.keys.client !== undefined && wire.keys.server !== undefined);
  wire.close();
});

test('a server with another certificate than announced gives the client no keys, nor itself', async () => {
  const wire = new Wire({ ...pinned(), client: certificates[2].fingerprint.value });
  await wire.settle();
  assert.deepEqual(wire.keys, {});
  assert.deepEqual(wire.failed, ['client: dtls-fingerprint']);
  wire.close();
});

test('a client with another certificate than announced gives the server no keys, nor itself', async () => {
  const wire = new Wire({ ...pinned(), server: certificates[2].fingerprint.value });
  await wire.settle();
  assert.deepEqual(wire.keys, {});
  assert.deepEqual(wire.failed, ['server: dtls-fingerprint']);
  wire.close();
});

test('a hello of another handshake is not taken, and a stranger cannot make the server commit', async () => {
  const wire = new Wire(pinned());
  const hello = Buffer.from(wire.sent[0].bytes);
  await wire.settle();
  hello[40] ^= 1;
  assert.equal(wire.ends.server.handleDatagram(1, hello, 0, hello.length), false);
  const fresh = new Wire(pinned());
  fresh.sent = [];
  assert.equal(fresh.ends.server.handleDatagram(1, hello, 0, hello.length), true);
  await turn();
  assert.equal(fresh.ends.server.isCommitted, false);
  assert.equal(wire.ends.server.isCommitted, true);
  wire.close();
  fresh.close();
});

test('hellos of strangers, before and between the datagrams of a handshake, cost no keys and do not hold it up', async () => {
  for (const floodFrom of [0, 1, 2, 3]) {
    const answers: Buffer[] = [];
    const wire = new Wire(pinned());
    const { server } = wire.ends;
    let nowMs = 0;
    const hello = Buffer.from(wire.sent[0].bytes);
    const strangers = () => {
      for (let index = 0; index < 600; index++) {
        const forged = Buffer.from(hello);
        forged.writeUInt32BE(index, 30);
        // Some are cut, some bring a cookie that is none, some are anything.
        if (index % 4 === 1) forged[60 + (index % 20)] ^= 0xff;
        if (index % 4 === 2) forged.fill(index, 14 + (index % 40));
        const length = index % 4 === 3 ? 40 + (index % 50) : forged.length;
        nowMs += 0.5;
        server.handleDatagram(nowMs, forged, 0, length);
      }
      // What strangers bring about goes to the peer, who has not asked.
      answers.push(...wire.sent.filter(({ from }) => from === 'server').map(({ bytes }) => bytes));
    };
    for (let step = 0; step < 12 && wire.keys.server === undefined; step++) {
      const next = wire.sent.shift();
      if (next === undefined) break;
      if (next.from === 'client') {
        if (step >= floodFrom && !server.isCommitted) strangers();
        nowMs += 2;
        server.handleDatagram(nowMs, next.bytes, 0, next.bytes.length);
      } else wire.ends.client.handleDatagram(nowMs, next.bytes, 0, next.bytes.length);
      await turn();
    }
    await wire.settle();
    assert.ok(wire.keys.client !== undefined && wire.keys.server !== undefined, `flood from ${floodFrom}`);
    assert.deepEqual(wire.keys.client.sendKey, wire.keys.server.receiveKey);
    // The type of the handshake message: nobody but the peer was worth a ServerHello, before which no key is made.
    assert.equal(answers.filter(bytes => bytes[13] === 2).length, 0);
    wire.close();
  }
});

test('a cookie is demanded once in a millisecond, however many ask', async () => {
  const wire = new Wire(pinned());
  const [{ bytes: hello }] = wire.sent;
  for (let index = 0; index < 1000; index++) {
    const forged = Buffer.from(hello);
    forged.writeUInt32BE(index, 30);
    assert.equal(wire.ends.server.handleDatagram(index / 100, forged, 0, forged.length), true);
  }
  assert.equal(wire.sent.filter(({ from }) => from === 'server').length, 10);
  assert.equal(wire.ends.server.isCommitted, false);
  wire.close();
});

const CONFERENCE = 9 as ConferenceId;
const ALICE = 2 as EndpointId;
const CAMERA = 1 as SourceId;

interface RealBridge {
  readonly relay: Relay;
  readonly port: DatagramPort<Link>;
  readonly peer: BridgePeer;
  readonly seen: string[];
}

/** Without the padding that makes runs of a port that sends them. */
function payloadOf(bytes: Uint8Array, offset: number, length: number): string {
  const rtp = new RtpPacket();
  rtp.decode(bytes, offset, length);
  return Buffer.from(bytes.subarray(rtp.payloadOffset, rtp.payloadOffset + rtp.payloadLength)).toString();
}

/** A relay on a real socket. Calls `changed` whenever its sink hears something. */
async function open(bridgeId: string, certificate: Certificate, changed: () => void): Promise<RealBridge> {
  const seen: string[] = [];
  const note = (text: string) => {
    seen.push(text);
    changed();
  };
  const sink: RelaySink = {
    onRelayedPacket: (peer, _conference, _endpoint, _source, layer, bytes, offset, length) =>
      note(`packet from ${peer} layer ${layer}: ${payloadOf(bytes, offset, length)}`),
    onRelayedMessage: (peer, _conference, _endpoint, isReliable, bytes) =>
      note(`${isReliable ? 'reliable' : 'lossy'} from ${peer}: ${Buffer.from(bytes).toString()}`),
    onKeyFrameRequest: (peer, _conference, _endpoint, _source, layer) => note(`key frame for ${peer} layer ${layer}`),
    onWanted: (peer, _conference, wants) => note(`${peer} wants ${wants.length}`),
    onWithheld: (peer, _conference, withheld) => note(`${peer} withholds ${withheld.length}`),
    onFramesLost: peer => note(`frames of ${peer} lost`),
    onLinkState: (peer, state) => note(`${peer} ${state}`),
  };
  const nowMs = () => performance.now();
  let relay: Relay | undefined;
  const port = await TEST_DATAPATH.openPort<Link>({
    address: '127.0.0.1',
    port: 0,
    handler: (bytes, offset, length, peer) => relay?.handleDatagram(nowMs(), bytes, offset, length, peer),
  });
  const peer: BridgePeer = {
    bridgeId,
    region: 'test',
    octo: { address: '127.0.0.1', port: port.port },
    fingerprint: { ...certificate.fingerprint },
  };
  relay = new Relay({
    ciphers: TEST_DATAPATH.frameCiphers,
    self: peer,
    port,
    startHandshake: octoHandshakes(certificate),
    sink,
    random: Math.random,
    nowMs,
    log: { warn: () => {} },
  });
  return { relay, port, peer, seen };
}

test('two bridges on real sockets: up without waiting for a timer, then everything crosses', {
  timeout: 20_000,
}, async t => {
  let wake = () => {};
  const a = await open('a', certificates[0], () => wake());
  const b = await open('b', certificates[1], () => wake());
  const until = async (isDone: () => boolean) => {
    while (!isDone()) {
      await new Promise<void>(resolve => {
        wake = resolve;
      });
    }
  };
  const peers = [a.peer, b.peer];
  const startMs = performance.now();
  a.relay.setPeers(CONFERENCE, peers);
  b.relay.setPeers(CONFERENCE, peers);
  await until(() => a.seen.includes('b up') && b.seen.includes('a up'));
  t.diagnostic(`up after ${Math.round(performance.now() - startMs)} ms`);

  const ticking = setInterval(() => {
    a.relay.handleTimeout(performance.now());
    b.relay.handleTimeout(performance.now());
  }, 10);
  const link = a.relay.linkTo('b' as BridgeId);
  assert.ok(link);
  const packet = Buffer.concat([Buffer.from('806f00010000000200000003', 'hex'), Buffer.from('a packet')]);
  a.relay.sendPacket(link, CONFERENCE, ALICE, CAMERA, 1, CLASS_VIDEO, packet, 0, packet.length);
  a.relay.sendMessage('b' as BridgeId, CONFERENCE, ALICE, true, Buffer.from('hello'));
  a.relay.sendMessage('b' as BridgeId, CONFERENCE, ALICE, false, Buffer.from('hi'));
  b.relay.setWanted(CONFERENCE, 'a' as BridgeId, [{ endpointId: ALICE, sourceId: CAMERA, viewers: [1, 0, 0] }]);
  b.relay.requestKeyFrame('a' as BridgeId, CONFERENCE, ALICE, CAMERA, 0);
  const expected = ['packet from a layer 1: a packet', 'reliable from a: hello', 'lossy from a: hi'];
  await until(() => expected.every(text => b.seen.includes(text)));
  await until(() => a.seen.includes('b wants 1') && a.seen.includes('key frame for b layer 0'));
  await a.relay.close();
  await until(() => b.seen.includes('a down'));
  clearInterval(ticking);
  await b.relay.close();
  await a.port.close();
  await b.port.close();
});
