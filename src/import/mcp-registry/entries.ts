/**
 * Entries of an MCP registry: a `server.json`, what a registry answers for one server, or a list of them.
 * https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json
 */
import { isPlain, type Plain } from '../../base/json/plain.ts'

const SCHEMA = /\/server\.schema\.json$/
/** Member of `_meta` in which a registry says what it knows of an entry. */
const OFFICIAL = 'io.modelcontextprotocol.registry/official'

/** An entry, with what its registry says of it. */
export interface RegistryEntry {
  readonly server: Plain
  /** `active`, `deprecated` or `deleted`; empty where it is not said. */
  readonly status: string
  /** False for a version that has been replaced. */
  readonly isLatest: boolean
}

/** The entries that a document holds; null for one of another format. */
export function registryEntriesIn(document: Plain): readonly RegistryEntry[] | null {
  const { server, servers } = document
  if (isServer(document)) return [{ server: document, status: '', isLatest: true }]
  if (isPlain(server) && isServer(server)) return [answered(document)]
  if (!Array.isArray(servers)) return null
  const entries = (servers as readonly unknown[]).filter(isPlain)
  const isList = entries.length === servers.length && entries.every((one) => isPlain(one['server']))
  return isList ? entries.map(answered) : null
}

function isServer({ $schema, name, remotes, packages }: Plain): boolean {
  if (typeof $schema === 'string' && SCHEMA.test($schema)) return true
  return typeof name === 'string' && name.includes('/') && (Array.isArray(remotes) || Array.isArray(packages))
}

function answered({ server, _meta }: Plain): RegistryEntry {
  const said = isPlain(_meta) ? _meta[OFFICIAL] : undefined
  const { status, isLatest } = isPlain(said) ? said : ({} as Plain)
  return {
    server: isPlain(server) ? server : {},
    status: typeof status === 'string' ? status : '',
    isLatest: isLatest !== false,
  }
}
