/** Which service of a local network has which port. Pure: the same options always give the same layout. */

/** Ports of one bridge. 0: a free one. */
export interface BridgePorts {
  readonly bridgeId: string;
  readonly region: string;
  readonly controlPort: number;
  readonly mediaPort: number;
  readonly octoPort: number;
}

export interface Layout {
  readonly geoProxyPort: number;
  readonly focusPort: number;
  /** In order of the regions, then of their numbers: eu-1, eu-2, us-1, ... */
  readonly bridges: readonly BridgePorts[];
}

export interface LayoutOptions {
  readonly regions: readonly string[];
  readonly bridgesPerRegion: number;
  /** First port of a compact layout; undefined: every service's own default; 'free': whatever the system gives. */
  readonly portBase: number | 'free' | undefined;
}

/** The defaults of DESIGN.md section 10; a second bridge takes the next port of each kind. */
const DEFAULT_PORTS = { geoProxy: 8080, focus: 7880, control: 9090, media: 10_000, octo: 4096 };
const PORTS_PER_BRIDGE = 3;

/**
 * With a base: base is geo-proxy, base + 1 focus, and bridge i (from 0) has base + 2 + 3i for control (TCP), the next for media (UDP) and
 * the next for Octo (UDP).
 */
export function layOut(options: LayoutOptions): Layout {
  const { regions, bridgesPerRegion, portBase } = options;
  const names = regions.flatMap(region =>
    Array.from({ length: bridgesPerRegion }, (_, index) => ({ region, bridgeId: `${region}-${index + 1}` })),
  );
  if (portBase === 'free') {
    const free = { controlPort: 0, mediaPort: 0, octoPort: 0 };
    return { geoProxyPort: 0, focusPort: 0, bridges: names.map(name => ({ ...name, ...free })) };
  }
  if (portBase === undefined) {
    const { geoProxy, focus, control, media, octo } = DEFAULT_PORTS;
    return {
      geoProxyPort: geoProxy,
      focusPort: focus,
      bridges: names.map((name, index) => ({
        ...name,
        controlPort: control + index,
        mediaPort: media + index,
        octoPort: octo + index,
      })),
    };
  }
  return {
    geoProxyPort: portBase,
    focusPort: portBase + 1,
    bridges: names.map((name, index) => {
      const first = portBase + 2 + PORTS_PER_BRIDGE * index;
      return { ...name, controlPort: first, mediaPort: first + 1, octoPort: first + 2 };
    }),
  };
}

/** The highest port of a layout with a base. */
export function lastPort(options: LayoutOptions & { readonly portBase: number }): number {
  return options.portBase + 1 + PORTS_PER_BRIDGE * options.regions.length * options.bridgesPerRegion;
}
