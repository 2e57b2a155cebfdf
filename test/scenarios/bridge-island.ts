/**
 * A bridge that can be cut off from everybody and joined to them again, while it runs and takes itself for well: its clients reach it at a stand-in address,
 * other bridges at stand-in ports (test/wan), focuses through TCP paths. Works without privileges, on loopback.
 */

import { freeBase } from '../../infra/local/free-base.fixture.ts';
import { MeshProxy } from '../wan/io/mesh-proxy.ts';
import { UdpProxy } from '../wan/io/udp-proxy.ts';
import type { BridgePorts } from './deployment.ts';
import { TcpPath } from './tcp-path.ts';

export interface IslandPlan {
  readonly focusPorts: readonly number[];
  /** Of all bridges of the deployment. */
  readonly bridgePorts: readonly BridgePorts[];
  /** Which of them the island is. */
  readonly place: number;
  /** `control.secret` of the deployment. */
  readonly secret: string;
}

const LOOPBACK = '127.0.0.1';
/** A bridge announces the port that it is bound to, so its stand-in has another address. */
const STAND_IN = '127.0.0.2';
/** Nothing on these paths is left to chance; the models want a seed all the same. */
const SEED = 1;

export class BridgeIsland {
  readonly #plan: IslandPlan;
  readonly #media: UdpProxy;
  readonly #mesh: MeshProxy;
  readonly #standInBase: number;
  readonly #toFocuses: readonly TcpPath[];
  readonly #control: TcpPath;

  private constructor(
    plan: IslandPlan,
    parts: { media: UdpProxy; mesh: MeshProxy; standInBase: number; toFocuses: readonly TcpPath[]; control: TcpPath },
  ) {
    this.#plan = plan;
    this.#media = parts.media;
    this.#mesh = parts.mesh;
    this.#standInBase = parts.standInBase;
    this.#toFocuses = parts.toFocuses;
    this.#control = parts.control;
  }

  static async open(plan: IslandPlan): Promise<BridgeIsland> {
    const { focusPorts, bridgePorts, place } = plan;
    const own = bridgePorts[place]!;
    const media = await UdpProxy.open([
      { nearFacing: { host: STAND_IN, port: own.media }, far: { host: LOOPBACK, port: own.media }, seed: SEED },
    ]);
    const standInBase = await freeBase(bridgePorts.length);
    const mesh = await MeshProxy.open({
      standIns: bridgePorts.map((_, index) => ({ host: LOOPBACK, port: standInBase + index })),
      bridges: bridgePorts.map(({ octo }) => ({ host: LOOPBACK, port: octo })),
      seed: SEED,
    });
    const toFocuses = await Promise.all(focusPorts.map(port => TcpPath.open({ targets: () => [port] })));
    const control = await TcpPath.open({ targets: () => [own.control] });
    return new BridgeIsland(plan, { media, mesh, standInBase, toFocuses, control });
  }

  /** What the configuration of the bridge at `place` has instead of its usual: all bridges send to stand-ins, the island does everything so. */
  configOf(place: number): object {
    const { bridgePorts, place: island } = this.#plan;
    const ports = bridgePorts[place]!;
    const octo = {
      port: ports.octo,
      bind_address: LOOPBACK,
      address: LOOPBACK,
      advertised_port: this.#standInBase + place,
    };
    if (place !== island) return { octo };
    return {
      octo,
      rtc: { udp_port: ports.media, bind_address: LOOPBACK, node_ip: [STAND_IN] },
      control: { port: ports.control, secret: this.#plan.secret, url: `http://${this.#control.address}` },
      focus: { urls: this.#toFocuses.map(({ address }) => `http://${address}`) },
    };
  }

  /** From now on nothing gets through, either way. */
  cut(): void {
    for (const path of [this.#control, ...this.#toFocuses]) path.cut();
    this.#changeUdp(true);
  }

  mend(): void {
    for (const path of [this.#control, ...this.#toFocuses]) path.mend();
    this.#changeUdp(false);
  }

  async close(): Promise<void> {
    for (const path of [this.#control, ...this.#toFocuses]) path.close();
    await Promise.all([this.#media.close(), this.#mesh.close()]);
  }

  #changeUdp(isCut: boolean): void {
    const { place } = this.#plan;
    const ways = [...this.#media.paths, ...this.#mesh.paths.filter(({ ends }) => ends.includes(place))];
    for (const way of ways) for (const direction of ['forth', 'back'] as const) way.change(direction, { isCut });
  }
}
