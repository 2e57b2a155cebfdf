export type SdpErrorCode =
  | 'too-large'
  | 'malformed'
  | 'no-ice-credentials'
  | 'no-fingerprint'
  | 'no-sections'
  | 'too-many-sections'
  | 'duplicate-mid';

/** An offer that cannot be answered. `message` is for the client's developer and never quotes credentials. */
export class SdpError extends Error {
  readonly code: SdpErrorCode;

  constructor(code: SdpErrorCode, message: string) {
    super(message);
    this.name = 'SdpError';
    this.code = code;
  }
}
