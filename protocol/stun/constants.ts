/** Numbers of STUN (RFC 8489 sections 5, 6, 18) and of ICE's use of it (RFC 8445 section 16.1). */

export const STUN_HEADER_BYTES = 20;
export const STUN_MAGIC_COOKIE = 0x2112a442;
export const TRANSACTION_ID_BYTES = 12;
/** A binding check is about 100 bytes; nothing longer than a datagram slot is read or written. */
export const STUN_MESSAGE_BYTES_MAX = 1280;

export const BINDING_REQUEST = 0x0001;
export const BINDING_INDICATION = 0x0011;
export const BINDING_SUCCESS = 0x0101;
export const BINDING_ERROR = 0x0111;

export const ATTR_MAPPED_ADDRESS = 0x0001;
export const ATTR_USERNAME = 0x0006;
export const ATTR_MESSAGE_INTEGRITY = 0x0008;
export const ATTR_ERROR_CODE = 0x0009;
export const ATTR_UNKNOWN_ATTRIBUTES = 0x000a;
export const ATTR_XOR_MAPPED_ADDRESS = 0x0020;
export const ATTR_PRIORITY = 0x0024;
export const ATTR_USE_CANDIDATE = 0x0025;
export const ATTR_SOFTWARE = 0x8022;
export const ATTR_FINGERPRINT = 0x8028;
export const ATTR_ICE_CONTROLLED = 0x8029;
export const ATTR_ICE_CONTROLLING = 0x802a;

/** Types below this must be understood, or the request is refused with 420 (RFC 8489 section 14). */
export const COMPREHENSION_OPTIONAL_MIN = 0x8000;
export const FINGERPRINT_XOR = 0x5354554e;

export const ERROR_UNKNOWN_ATTRIBUTE = 420;
export const ERROR_ROLE_CONFLICT = 487;
