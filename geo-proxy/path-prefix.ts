/** `/region/NAME/…`: how a client in development says where it pretends to be. SDKs keep the prefix: they ask for `/region/us/rtc/v1`. */

export interface PrefixedPath {
  readonly region: string;
  /** The path without the prefix, query included, byte for byte as received. */
  readonly path: string;
}

const PREFIX = /^\/region\/([^/?]*)(.*)$/s;

/** Splits a request target. Undefined when it has no such prefix; `/region` and `/region?…` have none, they ask for the explanation. */
export function splitRegionPrefix(target: string): PrefixedPath | undefined {
  const match = PREFIX.exec(target);
  if (match === null) return undefined;
  const rest = match[2]!;
  return { region: match[1]!, path: rest.startsWith('/') ? rest : `/${rest}` };
}
