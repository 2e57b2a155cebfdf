/** With what tokens are verified and signed. Asked anew for every token, so keys can change while the focus runs. */
import type { JWTVerifyGetKey } from 'jose';

export interface TokenKeys {
  /** The secret of an API key, as it is now; undefined when there is no such key. */
  secret(apiKey: string): string | undefined;
  /** The key that signs what an issuer without a secret cannot sign itself; undefined when there is none. */
  signer(): string | undefined;
  /** The public keys of an issuer of tokens that is no API key; undefined when there is no such issuer. */
  issuer(name: string): IssuerKeys | undefined;
}

/** A JWKS and what its tokens are signed with. */
export interface IssuerKeys {
  readonly find: JWTVerifyGetKey;
  /** `aud` that its tokens must have; undefined: any. */
  readonly audience: string | undefined;
}

/** API keys with their secrets only, as they are in `secrets` at the time of asking. */
export function secretKeys(secrets: Readonly<Record<string, string>>): TokenKeys {
  return {
    secret: apiKey => (Object.hasOwn(secrets, apiKey) ? secrets[apiKey] : undefined),
    signer: () => Object.keys(secrets)[0],
    issuer: () => undefined,
  };
}
