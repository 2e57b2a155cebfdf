/** The transport against a PeerConnection that is not ours: werift's, over loopback. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { MediaStreamTrack, RTCPeerConnection, RtpHeader, RtpPacket, useVP8 } from 'werift';
import type { EndpointSpec } from '../../protocol/control/spec.ts';
import { DTLS, firstByteKind, isRtcp, RTP, STUN } from '../../protocol/demux.ts';
import { IceRegistry } from '../ice/ice-registry.ts';
import { TEST_DATAPATH } from '../testing/datapath.ts';
import { createCertificate } from './certificate.ts';
import type { DatagramPort } from './datagram-port.ts';
import { EndpointTransport } from './endpoint-transport.ts';
import { StunResponder } from './stun-responder.ts';

const PAYLOAD_TYPE = 96;
const SSRC = 0x0a0b0c0d;

interface Bridge {
  readonly port: DatagramPort<string>;
  readonly transport: EndpointTransport<string>;
  readonly fingerprint: string;
  readonly data: string[];
  readonly media: Buffer[];
  /** Resolves when `isDone` holds: asked whenever something has happened. */
  until(isDone: () => boolean): Promise<void>;
}

async function openBridge(context: TestContext): Promise<Bridge> {
  const certificate = await createCertificate();
  const data: string[] = [];
  const media: Buffer[] = [];
  const waiting: (() => void)[] = [];
  const wake = () => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  const port = await TEST_DATAPATH.openPort<string>({
    address: '127.0.0.1',
    port: 0,
    handler: (bytes, offset, length, peer) => {
      const kind = firstByteKind(bytes[offset]);
      if (kind === STUN) stun.handle(performance.now(), bytes, offset, length, peer);
      else if (kind === DTLS) transport.handleDtls(performance.now(), bytes, offset, length, peer);
      else if (kind === RTP && !isRtcp(bytes, offset)) {
        const plain = transport.unprotectRtp(performance.now(), bytes, offset, length);
        if (plain >= 0) media.push(Buffer.from(bytes.subarray(offset, offset + plain)));
      }
      wake();
    },
  });
  const registry = new IceRegistry<EndpointTransport<string>>(randomBytes);
  const stun = new StunResponder(port, registry);
  const transport: EndpointTransport<string> = new EndpointTransport({
    owner: 'client',
    port,
    ice: registry,
    certificate,
    nowMs: performance.now(),
    createSrtpSession: TEST_DATAPATH.createSrtpSession,
    sink: {
      onConnected: wake,
      onFailed: assert.fail,
      onClosed: wake,
      onData: (kind, bytes) => {
        data.push(`${kind} ${bytes.length > 40 ? bytes.length : Buffer.from(bytes)}`);
        wake();
      },
      onDataOpen: wake,
    },
  });
  context.after(async () => {
    transport.close();
    await port.close();
  });
  return {
    port,
    transport,
    fingerprint: certificate.fingerprint.value,
    data,
    media,
    until: async isDone => {
      while (!isDone()) await new Promise<void>(resolve => waiting.push(resolve));
    },
  };
}

/** What `EndpointSpec` has of an offer. */
function readOffer(sdp: string): { ice: NonNullable<EndpointSpec['ice']>; dtls: NonNullable<EndpointSpec['dtls']> } {
  const value = (name: string) => new RegExp(`^a=${name}:(.+)$`, 'm').exec(sdp)?.[1].trim() ?? assert.fail(name);
  const [algorithm, fingerprint] = value('fingerprint').split(' ');
  return {
    ice: { ufrag: value('ice-ufrag'), password: value('ice-pwd') },
    dtls: { setup: 'actpass', fingerprints: [{ algorithm, value: fingerprint.toUpperCase() }] },
  };
}

/** An answer that takes the offered video (we receive, and send `SSRC`) and the data channel. */
function writeAnswer(offer: string, bridge: Bridge): string {
  const { ufrag, password, setup } = bridge.transport.local;
  const mids = [...offer.matchAll(/^a=mid:(.+)$/gm)].map(match => match[1].trim());
  const common = [
    'c=IN IP4 127.0.0.1',
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${password}`,
    `a=fingerprint:sha-256 ${bridge.fingerprint}`,
    `a=setup:${setup}`,
    `a=candidate:1 1 udp 2130706431 127.0.0.1 ${bridge.port.port} typ host`,
    'a=end-of-candidates',
  ];
  const sections = [...offer.matchAll(/^m=(\w+)/gm)].map(([, kind], index) =>
    kind === 'application'
      ? [
          'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
          `a=mid:${mids[index]}`,
          ...common,
          'a=sctp-port:5000',
          'a=max-message-size:262144',
        ]
      : [
          `m=video 9 UDP/TLS/RTP/SAVPF ${PAYLOAD_TYPE}`,
          `a=mid:${mids[index]}`,
          ...common,
          'a=sendrecv',
          'a=rtcp-mux',
          `a=rtpmap:${PAYLOAD_TYPE} VP8/90000`,
          `a=ssrc:${SSRC} cname:bridge`,
        ],
  );
  const head = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=ice-lite', `a=group:BUNDLE ${mids.join(' ')}`];
  return [...head, ...sections.flat(), ''].join('\r\n');
}

test('a PeerConnection connects, and media and messages go both ways', async context => {
  const bridge = await openBridge(context);
  const client = new RTCPeerConnection({
    iceServers: [],
    bundlePolicy: 'max-bundle',
    iceUseIpv6: false,
    iceAdditionalHostAddresses: ['127.0.0.1'],
    codecs: { audio: [], video: [useVP8({ payloadType: PAYLOAD_TYPE })] },
  });
  context.after(() => client.close());
  const track = new MediaStreamTrack({ kind: 'video' });
  client.addTransceiver(track, { direction: 'sendrecv' });
  const reliable = client.createDataChannel('_reliable', { ordered: true });
  const lossy = client.createDataChannel('_lossy', { ordered: false, maxRetransmits: 0 });
  const heard: (string | Buffer)[] = [];
  let arrived = () => {};
  const arrivals = (count: number) =>
    new Promise<void>(resolve => {
      arrived = () => heard.length >= count && resolve();
      arrived();
    });
  for (const channel of [reliable, lossy]) {
    channel.onMessage.subscribe(message => {
      heard.push(message);
      arrived();
    });
  }
  const received = new Promise<RtpPacket>(resolve => {
    client.onTrack.subscribe(remote => remote.onReceiveRtp.subscribe(packet => resolve(packet)));
  });

  const offer = await client.createOffer();
  await client.setLocalDescription(offer);
  const { ice, dtls } = readOffer(client.localDescription?.sdp ?? '');
  bridge.transport.setRemote(performance.now(), ice, dtls, 0);
  bridge.transport.sendData('reliable', Buffer.from('before anything is open'));
  await client.setRemoteDescription({ type: 'answer', sdp: writeAnswer(offer.sdp, bridge) });
  await bridge.until(() => bridge.transport.isConnected);

  await arrivals(1);
  assert.equal(String(heard[0]), 'before anything is open');
  const large = Buffer.alloc(65_536, 'large');
  assert.equal(bridge.transport.sendData('reliable', large), true);
  await arrivals(2);
  assert.equal(large.equals(heard[1] as Buffer), true);
  reliable.send(large);
  lossy.send(Buffer.from('perhaps'));
  await bridge.until(() => bridge.data.length === 2);
  assert.deepEqual([...bridge.data].sort(), ['lossy perhaps', 'reliable 65536']);

  const payload = Buffer.from('not really VP8');
  const header = new RtpHeader({
    payloadType: PAYLOAD_TYPE,
    sequenceNumber: 7,
    timestamp: 90_000,
    marker: true,
    ssrc: 1,
  });
  track.writeRtp(new RtpPacket(header, payload));
  await bridge.until(() => bridge.media.length > 0);
  assert.equal(bridge.media[0].includes(payload), true);

  header.ssrc = SSRC;
  const slot = bridge.port.reserve();
  const length = new RtpPacket(header, payload).serialize().copy(bridge.port.outgoing, slot);
  bridge.transport.sendRtp(slot, length);
  assert.deepEqual((await received).payload, payload);
});
