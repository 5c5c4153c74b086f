import { canonicalJson } from '../../base/canonical.ts'
import type { JsonSchema } from '../fields.ts'

/** Named schemas of the document. Equal schemas share one name. */
export interface Components {
  readonly schemas: Readonly<Record<string, JsonSchema>>
  /** Puts a schema among the named ones, its `$defs` beside it, and gives the reference to it. */
  add(name: string, schema: JsonSchema): JsonSchema
}

const ROOT = '#/components/schemas/'

export function createComponents(shared: Readonly<Record<string, JsonSchema>>): Components {
  const schemas: Record<string, JsonSchema> = { ...shared }
  const names = new Map<string, string>()

  return {
    schemas,
    add(name, schema) {
      const content = canonicalJson(schema)
      const known = names.get(content)
      if (known !== undefined) return { $ref: ROOT + known }
      names.set(content, name)
      const { $defs, ...rest } = schema
      const nameOfDefinition = (definition: string): string =>
        `${name}${pascal(definition.replace(/^__schema/, 'Part'))}`
      const rename = (pointer: string): string => {
        if (pointer === '#') return ROOT + name
        const match = /^#\/\$defs\/(.+)$/.exec(pointer)
        return match === null ? pointer : ROOT + nameOfDefinition(match[1]!)
      }
      for (const [definition, part] of Object.entries(($defs ?? {}) as Record<string, JsonSchema>))
        schemas[nameOfDefinition(definition)] = withReferences(part, rename)
      schemas[name] = withReferences(rest, rename)
      return { $ref: ROOT + name }
    },
  }
}

/** A copy in which every `$ref` is renamed. */
function withReferences<T>(schema: T, rename: (pointer: string) => string): T {
  if (Array.isArray(schema)) return schema.map((item: unknown) => withReferences(item, rename)) as T
  if (schema === null || typeof schema !== 'object') return schema
  // The copy has the members of T; only texts under $ref differ
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [
      key,
      key === '$ref' && typeof value === 'string' ? rename(value) : withReferences(value as unknown, rename),
    ]),
  ) as T
}

/** `credential_state` is `CredentialState`. */
export function pascal(name: string): string {
  return name.replaceAll(/(?:^|[_.-])([a-z0-9])/gi, (_, letter: string) => letter.toUpperCase())
}
