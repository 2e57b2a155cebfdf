/** From the configuration of a pool to that of each bridge in it. Pure: the same configuration always gives the same names and ports. */
import { ConfigurationError } from '../../protocol/configuration.ts';
import type { BridgeConfig } from '../config.ts';

/** Of `bridge_id` (see its pattern). */
const BRIDGE_ID_LENGTH_MAX = 64;
const PORT_MAX = 65_535;

/**
 * Bridge i (from 0) is `bridge_id-i` and has every port plus i, the advertised one too; of what else is set, all have the same. Throws ConfigurationError with every
 * reason why so many do not fit.
 */
export function layOutPool(config: BridgeConfig, count: number): readonly BridgeConfig[] {
  const problems = [...nameProblems(config, count), ...portProblems(config, count), ...urlProblems(config, count)];
  if (problems.length > 0) throw new ConfigurationError(problems);
  return Array.from({ length: count }, (_, index) => bridgeOf(config, index));
}

function bridgeOf({ bridges: _, ...config }: BridgeConfig, index: number): BridgeConfig {
  const { rtc, octo, control } = config;
  return {
    ...config,
    bridge_id: `${config.bridge_id}-${index}`,
    rtc: { ...rtc, udp_port: rtc.udp_port + index },
    octo: {
      ...octo,
      port: octo.port + index,
      advertised_port: octo.advertised_port === 0 ? 0 : octo.advertised_port + index,
    },
    control: { ...control, port: control.port + index, url: shiftPort(control.url, index) },
  };
}

function nameProblems({ bridge_id }: BridgeConfig, count: number): string[] {
  const lengthMax = BRIDGE_ID_LENGTH_MAX - `-${count - 1}`.length;
  if (bridge_id.length <= lengthMax) return [];
  return [
    `bridge_id has ${bridge_id.length} characters with ${bridges(count)}; allowed: at most ${lengthMax}, since -0 to -${count - 1} is added`,
  ];
}

interface Range {
  readonly key: string;
  readonly address: string;
  readonly first: number;
}

function portProblems({ rtc, octo, control }: BridgeConfig, count: number): string[] {
  const media: Range = { key: 'rtc.udp_port', address: rtc.bind_address, first: rtc.udp_port };
  const links: Range = { key: 'octo.port', address: octo.bind_address, first: octo.port };
  const api: Range = { key: 'control.port', address: control.bind_address, first: control.port };
  const problems = [media, links, api].flatMap(range => rangeProblems(range, count));
  if (octo.advertised_port > 0) {
    problems.push(...rangeProblems({ ...links, key: 'octo.advertised_port', first: octo.advertised_port }, count));
  }
  if (problems.length > 0 || !isOverlap(media, links, count)) return problems;
  const span = (first: number) => (count === 1 ? `${first}` : `${first} to ${first + count - 1}`);
  return [
    `octo.port is ${links.first} with ${bridges(count)}: they take ${span(links.first)}, and rtc.udp_port takes ${span(media.first)}; allowed: two ranges without a port in common`,
  ];
}

/** A free port is another one after each restart: whoever opened a firewall for a pool, and whoever is connected to it, needs it to stay. */
function rangeProblems({ key, first }: Range, count: number): string[] {
  const firstMax = PORT_MAX + 1 - count;
  if (first > 0 && first <= firstMax) return [];
  return [`${key} is ${first} with ${bridges(count)}; allowed: 1 to ${firstMax}, since each takes the next port`];
}

/** Octo and media are both UDP; control is TCP and shares no port with them. */
function isOverlap(a: Range, b: Range, count: number): boolean {
  const isSameAddress = a.address === b.address || [a.address, b.address].some(isUnspecified);
  return isSameAddress && Math.abs(a.first - b.first) < count;
}

function isUnspecified(address: string): boolean {
  return /^[0:.]+$/.test(address);
}

const URL_WITH_PORT = /^(https?:\/\/(?:\[[^\]]+\]|[^/:?#]+)):(\d{1,5})(?=$|[/?#])/;

function urlProblems({ control: { url } }: BridgeConfig, count: number): string[] {
  if (url === '') return [];
  const port = Number(URL_WITH_PORT.exec(url)?.[2] ?? 0);
  if (port > 0 && port + count - 1 <= PORT_MAX) return [];
  const allowed = `a URL with the port of the first bridge, 1 to ${PORT_MAX + 1 - count}, since each takes the next, or empty`;
  return [`control.url is ${JSON.stringify(url)} with ${bridges(count)}; allowed: ${allowed}`];
}

function shiftPort(url: string, by: number): string {
  return url.replace(URL_WITH_PORT, (_, host: string, port: string) => `${host}:${Number(port) + by}`);
}

function bridges(count: number): string {
  return count === 1 ? '1 bridge' : `${count} bridges`;
}
