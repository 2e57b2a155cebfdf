/** Everything a geo-proxy itself refuses: stable code and HTTP status. The message is written where it happens; it never holds a token. */
export const PROXY_ERRORS = {
  'bad-request': 400,
  'metrics-private': 403,
  'prefix-refused': 404,
  'unknown-region': 404,
  'focus-unreachable': 502,
  'focus-timeout': 504,
} as const;
export type ProxyErrorCode = keyof typeof PROXY_ERRORS;

/** A refusal on its way to the client. */
export interface Refusal {
  readonly code: ProxyErrorCode;
  readonly message: string;
}
