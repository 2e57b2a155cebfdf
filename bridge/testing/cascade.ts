/** Several bridges in memory with cameras and viewers, in one time. Cameras make key frames when they are asked, as browsers do, and count how often that is. */
import type { ConferenceSpec, ProjectionSpec, SourceSpec } from '../../protocol/control/spec.ts';
import type { BridgeId, EndpointId } from '../../protocol/ids.ts';
import type { Want } from '../../protocol/octo/wants.ts';
import { writePli } from '../../protocol/rtcp/feedback.ts';
import { PSFB_PLI, RTCP_PSFB } from '../../protocol/rtcp/packet.ts';
import type { Link } from '../relay/link.ts';
import type { Subscription } from '../subscription.ts';
import { BridgeBox, CONFERENCE, conferenceSpec, type FakeTransport } from './bridge-box.ts';
import { vp8Packet } from './packets.ts';
import { payloadOf, projection, rtcpOf, VIDEO } from './vocabulary.ts';

const FRAME_MS = 50;
/** libwebrtc lets one request pass in so long. */
const KEY_FRAME_INTERVAL_MS = 300;
/** Frames of one packet each, 20 a second: 20, 60 and 180 kbit/s, and what goes around them. */
const FRAME_BYTES = [125, 375, 1_125];
const RIDS = ['q', 'h', 'f'];
/** What a layer takes on a link, header and tag included, bit/s. */
export const LINK_BPS = [25_400, 65_400, 185_400];

/** One publisher of simulcast video. */
export class Camera {
  /** Key-frame requests of its bridge that reached it, by layer. */
  readonly asked = [0, 0, 0];
  /** Key frames made. */
  readonly made = [0, 0, 0];
  readonly sends = [true, true, true];
  /** It makes no key frame, whoever asks. */
  isDeaf = false;
  readonly #box: BridgeBox;
  readonly #id: number;
  readonly #wanted = [true, true, true];
  readonly #madeMs = [0, 0, 0];
  #sequence = 0;

  constructor(box: BridgeBox, id: number) {
    this.#box = box;
    this.#id = id;
  }

  get askedOverAll(): number {
    return this.asked.reduce((sum, count) => sum + count);
  }

  /** Reads what it was asked for, and sends a frame of each layer. */
  sendFrame(): void {
    const transport = this.#box.transport(this.#id);
    for (const { mediaSsrc } of rtcpOf(transport, RTCP_PSFB, PSFB_PLI)) {
      const layer = mediaSsrc - this.#id * 1_000;
      this.asked[layer]++;
      this.#wanted[layer] = true;
    }
    transport.rtcp.length = 0;
    this.#sequence++;
    for (const [layer, rid] of RIDS.entries()) {
      if (!this.sends[layer]) continue;
      const { nowMs } = this.#box;
      const isKeyFrame = !this.isDeaf && this.#wanted[layer] && nowMs - this.#madeMs[layer] >= KEY_FRAME_INTERVAL_MS;
      if (isKeyFrame) {
        this.#wanted[layer] = false;
        this.#madeMs[layer] = nowMs;
        this.made[layer]++;
      }
      const payload = `${'.'.repeat(FRAME_BYTES[layer] - 20)}${rid}`;
      const ssrc = this.#id * 1_000 + layer;
      this.#box.receive(this.#id, vp8Packet({ ssrc, sequence: this.#sequence, mid: '1', rid, isKeyFrame, payload }));
    }
  }
}

export class Cascade {
  readonly boxes = new Map<string, BridgeBox>();
  readonly cameras = new Map<number, Camera>();
  readonly #homes: Record<number, string> = {};
  readonly #projections = new Map<number, ProjectionSpec[]>();
  #version = 0;
  #elapsedMs = 0;

  /** Bridges of these names, `delayMs` apart. */
  constructor(names: readonly string[], delayMs = 0) {
    for (const name of names) new BridgeBox(name, this.boxes).linkDelayMs = delayMs;
    this.mesh();
  }

  box(name: string): BridgeBox {
    return this.boxes.get(name)!;
  }

  link(from: string, to: string): Link {
    return this.box(from).relay.linkTo(to as BridgeId)!;
  }

  /** What `from` has been told that `to` wants, by key of the source. */
  supply(from: string, to: string): ReadonlyMap<number, Want> {
    const conference = this.box(from).bridge.conferences.get(CONFERENCE)!;
    return conference.supply.wantsOf(this.link(from, to));
  }

  /** Tells the bridges where everybody is; those that are not among `names` are told that they are alone, and the others that they are gone. */
  mesh(names: readonly string[] = [...this.boxes.keys()]): void {
    this.#version++;
    for (const [name, box] of this.boxes) {
      box.bridge.putConference(CONFERENCE, this.spec(names.includes(name) ? names : [name]));
    }
  }

  /** The mesh of these bridges, and everybody who is there. */
  spec(names: readonly string[]): ConferenceSpec {
    const here = Object.entries(this.#homes).filter(([, home]) => names.includes(home));
    return conferenceSpec(++this.#version, names, Object.fromEntries(here));
  }

  /** Notes where somebody is whom the test has put there itself; told with the next {@link mesh}. */
  home(id: number, name: string): void {
    this.#homes[id] = name;
  }

  publish(id: number, name: string): Camera {
    this.home(id, name);
    this.box(name).put(id, { sources: [VIDEO], identity: `user-${id}` });
    this.mesh();
    const camera = new Camera(this.box(name), id);
    this.cameras.set(id, camera);
    return camera;
  }

  /** `id` (at bridge `name`) watches `origin` up to `layerMax`; -1: it has the stream, and does not look. */
  watch(id: number, name: string, origin: number, layerMax = 2): void {
    const isNew = this.#homes[id] === undefined;
    this.#homes[id] = name;
    const own = this.#projections.get(id) ?? [];
    this.#projections.set(id, own);
    const next = { ...view(origin), enabled: layerMax >= 0, layerMax: Math.max(0, layerMax) };
    const index = own.findIndex(({ ssrc }) => ssrc === next.ssrc);
    if (index < 0) own.push(next);
    else own[index] = next;
    this.#put(id, name);
    if (isNew) this.mesh();
  }

  unwatch(id: number, origin: number): void {
    const own = this.#projections.get(id) ?? [];
    this.#projections.set(
      id,
      own.filter(({ ssrc }) => ssrc !== view(origin).ssrc),
    );
    this.#put(id, this.#homes[id]);
  }

  /** `id`'s client has lost the picture of `origin`. */
  askForKeyFrame(id: number, origin: number): void {
    const pli = Buffer.alloc(12);
    writePli(pli, 0, 1, view(origin).ssrc);
    this.box(this.#homes[id]).receive(id, pli);
  }

  /** The layers of `origin` that `id` was sent since the last look, in order of the packets: 'q', 'h' and 'f'. */
  seen(id: number, origin: number): string {
    const transport: FakeTransport = this.box(this.#homes[id]).transport(id);
    const mine = transport.rtp.filter(datagram => datagram.readUInt32BE(8) === view(origin).ssrc);
    for (const datagram of mine) transport.rtp.splice(transport.rtp.indexOf(datagram), 1);
    return mine.map(datagram => payloadOf(datagram).at(-1)).join('');
  }

  subscription(id: number, origin: number): Subscription {
    const { subscriptionBySsrc } = this.box(this.#homes[id]).endpoint(id as EndpointId);
    return subscriptionBySsrc.get(view(origin).ssrc)!;
  }

  /** Lets time pass everywhere; cameras send. `each` is called every 10 ms. */
  run(durationMs: number, each: () => void = () => {}): void {
    for (let elapsedMs = 0; elapsedMs < durationMs; elapsedMs += 10) {
      this.#elapsedMs += 10;
      for (const box of this.boxes.values()) box.run(10);
      if (this.#elapsedMs % FRAME_MS === 0) for (const camera of this.cameras.values()) camera.sendFrame();
      each();
    }
  }

  #put(id: number, name: string): void {
    const projections = this.#projections.get(id);
    this.box(name).put(id, { version: ++this.#version, identity: `user-${id}`, projections });
  }
}

function view(origin: number): ProjectionSpec {
  const source: SourceSpec = VIDEO;
  return projection(origin, source, { ssrc: 0x10_0000 + origin, rtxSsrc: 0x20_0000 + origin });
}
