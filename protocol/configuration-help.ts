import type { TObject } from 'typebox';
import { type ConfigurationSchema, configurationLeaves, describeAllowed } from './configuration-schema.ts';

/** Every key of `schema` with its environment variable, what is allowed, its default and its reason: the body of `--help`. */
export function describeConfiguration(schema: TObject): string {
  const lines: string[] = [];
  for (const leaf of configurationLeaves(schema as ConfigurationSchema)) {
    if (leaf.schema.refused !== undefined) continue;
    lines.push(`${leaf.path}  (${leaf.variable})`);
    lines.push(`    ${describeAllowed(leaf.schema)}; ${describeDefault(leaf.schema, leaf.isRequired)}`);
    if (leaf.schema.description !== undefined) lines.push(`    ${leaf.schema.description}`);
  }
  return `${lines.join('\n')}\n`;
}

function describeDefault(schema: ConfigurationSchema, isRequired: boolean): string {
  if (schema.default !== undefined) return `default ${JSON.stringify(schema.default)}`;
  return isRequired ? 'required' : 'not set by default';
}
