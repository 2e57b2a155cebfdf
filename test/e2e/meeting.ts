/** A meeting under test: a running network, and stock clients that know each other's tones. */
import { type Network, type NetworkOptions, startNetwork } from '../../infra/local/network.ts';
import { Client } from './client.ts';

export interface Meeting {
  readonly network: Network;
  /** Joins a client through geo-proxy as if it were in `region`. */
  join(identity: string, region: string): Promise<Client>;
  /** All clients that have joined. */
  readonly clients: readonly Client[];
  close(): Promise<void>;
}

/** Starts a network on free ports and a room in it. Close it in `after`. */
export async function startMeeting(
  room: string,
  options: Pick<NetworkOptions, 'regions' | 'bridgesPerRegion' | 'octoAdvertisedPorts' | 'focus'> = {},
): Promise<Meeting> {
  const network = await startNetwork({
    regions: options.regions ?? ['eu', 'us', 'ap'],
    bridgesPerRegion: options.bridgesPerRegion ?? 1,
    portBase: 'free',
    octoAdvertisedPorts: options.octoAdvertisedPorts,
    ...(options.focus === undefined ? {} : { focus: options.focus }),
  });
  const clients: Client[] = [];
  const indexOf = (identity: string) => clients.findIndex(client => client.identity === identity);
  return {
    network,
    clients,
    async join(identity, region) {
      const client = new Client(identity, clients.length, indexOf);
      clients.push(client);
      return client.connect(regionUrl(network, region), room);
    },
    async close() {
      await Promise.allSettled(clients.map(client => client.close()));
      await network.close();
    },
  };
}

/** Where an SDK connects to be treated as a client in `region` (development mode). */
export function regionUrl(network: Network, region: string): string {
  return `${network.pageUrl.replace(/^http/, 'ws').replace(/\/$/, '')}/region/${region}`;
}
