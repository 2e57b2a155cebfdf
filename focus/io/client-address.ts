/** Whose request it is, for limits that go by address. */
import { addressList } from '../../protocol/address-list.ts';
import { clientAddress } from '../../protocol/client-address.ts';

/** The parts of a request that tell. */
export interface AddressedRequest {
  readonly socket: { readonly remoteAddress?: string | undefined };
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** Finds the client's address; undefined when only a trusted proxy is to be seen, which stands for all its clients. */
export type AddressFinder = (request: AddressedRequest) => string | undefined;

export function createAddressFinder(trustedProxies: readonly string[]): AddressFinder {
  const trusted = addressList(trustedProxies);
  return ({ socket, headers }) => {
    const forwardedFor = [headers['x-forwarded-for'] ?? []].flat().join(',');
    const address = clientAddress(socket.remoteAddress ?? '', forwardedFor || undefined, one => trusted.includes(one));
    return address === '' || trusted.includes(address) ? undefined : address;
  };
}
