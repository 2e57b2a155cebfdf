/** The control API's error table: stable code, HTTP status, what it means. The message of an answer names the particulars. */
export const BRIDGE_ERRORS = {
  unauthorized: 401,
  'bad-request': 400,
  'unknown-conference': 404,
  'unknown-path': 404,
  'stale-version': 409,
  'conference-limit': 429,
  'endpoint-limit': 429,
  draining: 503,
  internal: 500,
} as const;

export type BridgeErrorCode = keyof typeof BRIDGE_ERRORS;

/** A refusal of the control API. Thrown by the core, turned into an answer by `io/control-server.ts`. */
export class BridgeError extends Error {
  readonly code: BridgeErrorCode;
  /** Version in force, on `stale-version`. */
  readonly version: number | undefined;

  constructor(code: BridgeErrorCode, message: string, version?: number) {
    super(message);
    this.name = 'BridgeError';
    this.code = code;
    this.version = version;
  }
}
