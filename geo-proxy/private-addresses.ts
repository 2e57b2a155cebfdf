import { type AddressList, addressList } from '../protocol/address-list.ts';

/** Addresses that no database can place: private, loopback, link-local, carrier NAT (RFC 6890), unique local (RFC 4193). */
export const PRIVATE_ADDRESSES: AddressList = addressList([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '::/128',
  '::1/128',
  'fc00::/7',
  'fe80::/10',
]);
