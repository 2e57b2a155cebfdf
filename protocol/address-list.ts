import { BlockList, isIP, isIPv6 } from 'node:net';

/** A set of addresses and ranges. */
export interface AddressList {
  /** False also for text that is no address. */
  includes(address: string): boolean;
}

/** A list of IPv4 and IPv6 addresses and CIDR ranges. Throws an Error that names the entry that is neither. */
export function addressList(entries: readonly string[]): AddressList {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', prefix, ...rest] = entry.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    const bits = prefix === undefined || /^\d{1,3}$/.test(prefix) ? Number(prefix ?? bitsOf(family)) : -1;
    if (isIP(address) === 0 || bits < 0 || bits > bitsOf(family) || rest.length > 0) {
      throw new Error(`${entry} is not an address or a CIDR range such as 10.0.0.0/8`);
    }
    list.addSubnet(address, bits, family);
  }
  return {
    includes(address) {
      const family = isIP(address);
      return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
    },
  };
}

function bitsOf(family: 'ipv4' | 'ipv6'): number {
  return family === 'ipv6' ? 128 : 32;
}
