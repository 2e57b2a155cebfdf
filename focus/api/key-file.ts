/** The key file, LiveKit's form: YAML with a line `key: secret` for each API key. */
import { parse } from 'yaml';

export interface KeyFileRules {
  /** Short secrets are accepted. */
  readonly development: boolean;
  /** Keys of the configuration itself: the file may not say otherwise about them. */
  readonly taken: Readonly<Record<string, string>>;
}

/** HMAC-SHA-256 is as strong as its key up to 32 bytes. */
export const SECRET_LENGTH_MIN = 32;

/** The file's keys. Throws an Error with the file, the key and what is allowed; never with a secret. */
export function readKeyFile(text: string, path: string, rules: KeyFileRules): Record<string, string> {
  const entries = Object.entries(mappingOf(text, path));
  if (entries.length === 0) throw new Error(`key_file ${path} has no key; allowed: lines of the form key: secret`);
  const keys: Record<string, string> = {};
  for (const [key, secret] of entries) {
    if (typeof secret !== 'string') throw new Error(`key_file ${path}: the secret of ${key} is not text; quote it`);
    if (secret.length < SECRET_LENGTH_MIN && !rules.development) {
      const length = `${secret.length} characters; allowed: ${SECRET_LENGTH_MIN} or more`;
      throw new Error(`key_file ${path}: the secret of ${key} has ${length}`);
    }
    if (Object.hasOwn(rules.taken, key) && rules.taken[key] !== secret) {
      throw new Error(`key_file ${path}: ${key} is also in keys, with another secret; allowed: in one of them`);
    }
    keys[key] = secret;
  }
  return keys;
}

function mappingOf(text: string, path: string): object {
  let value: unknown;
  try {
    value = parse(text, { prettyErrors: false });
  } catch {
    // YAML's own message quotes the line.
    throw new Error(`key_file ${path} is no YAML; allowed: lines of the form key: secret`);
  }
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new Error(`key_file ${path} is no mapping; allowed: lines of the form key: secret`);
  }
  return value;
}
