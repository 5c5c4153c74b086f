/**
 * Virtual MCPs as entries of an MCP registry: the `server.json` of each, with what the registry says of it.
 * https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json
 */

import { DOORS } from '../../base/doors.ts'
import { plainAddress } from '../../base/net/address.ts'
import type { ListedMcp } from '../../operations/virtual-mcps/listed.ts'

const SCHEMA = 'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json'
const OFFICIAL = 'io.modelcontextprotocol.registry/official'

/** Characters of `title` and of `description`, by the schema. */
const TEXT_MAX = 100
/** Characters that are read of a text. */
const LINE_MAX = 1000
/** Characters of a name, by the schema (200), without the slash and the longest slug. */
const NAMESPACE_MAX = 200 - 1 - 63

/** One item of a list of the registry (`ServerResponse`). */
export interface RegistryEntry {
  readonly server: Readonly<Record<string, unknown>>
  readonly _meta: Readonly<Record<string, unknown>>
}

/**
 * The part of names before the slash: the host of the gateway in reverse order, such as `com.example.gateway`. An address
 * has the name by which DNS looks it up, such as `arpa.in-addr.192.0.2.1`.
 * @param origin of the gateway
 */
export function namespaceOf(origin: string): string {
  const labels = labelsOf(new URL(origin).hostname.replace(/^\[|\]$/g, ''))
  const fits = labels.findIndex((_, at) => labels.slice(0, at + 1).join('.').length > NAMESPACE_MAX)
  const name = labels.slice(0, fits === -1 ? labels.length : fits).join('.')
  return name.replace(/[^a-z0-9.-]/g, '-')
}

function labelsOf(host: string): readonly string[] {
  const address = plainAddress(host)
  if (address === null)
    return host
      .split('.')
      .filter((label) => label !== '')
      .reverse()
  if (!address.includes(':')) return ['arpa', 'in-addr', ...address.split('.')]
  const digits = address.split(':').map((group) => group.padStart(4, '0'))
  return ['arpa', 'ip6', ...digits.join('')]
}

/** @param namespace as of {@link namespaceOf} */
export function nameOf({ slug }: Pick<ListedMcp, 'slug'>, namespace: string): string {
  return `${namespace}/${slug}`
}

/** Each revision of a virtual MCP is a version. The latest one alone can be called, and is listed. */
export function versionOf({ revision }: Pick<ListedMcp, 'revision'>): string {
  return `1.0.${revision}`
}

/**
 * The entry of a virtual MCP. A text that does not fit the schema is cut or left out: it hides no entry.
 * @param namespace as of {@link namespaceOf} @param gatewayOrigin where clients reach the virtual MCP
 */
export function entryOf(listed: ListedMcp, namespace: string, gatewayOrigin: string): RegistryEntry {
  const { slug, updated_at: updatedAt } = listed
  const title = lineOf(listed.name)
  const icons = listed.icons.map(iconOf)
  return {
    server: {
      $schema: SCHEMA,
      name: nameOf(listed, namespace),
      ...(title === '' || lengthOf(title) > TEXT_MAX ? {} : { title }),
      // The schema demands one
      description: cut(lineOf(listed.description)) || cut(title) || slug,
      version: versionOf(listed),
      ...(icons.length === 0 ? {} : { icons }),
      remotes: [{ type: 'streamable-http', url: `${gatewayOrigin}${DOORS.belowConsumerMcp.path}/${slug}` }],
    },
    _meta: { [OFFICIAL]: { status: 'active', publishedAt: updatedAt, updatedAt, isLatest: true } },
  }
}

/** In the spelling of `server.json`, without what is not said. */
function iconOf({ src, mime_type: mimeType, sizes, theme }: ListedMcp['icons'][number]): object {
  return {
    src,
    ...(mimeType === null ? {} : { mimeType }),
    ...(sizes.length === 0 ? {} : { sizes }),
    ...(theme === null ? {} : { theme }),
  }
}

/** A text as one line, without control characters; of a long one its start. */
function lineOf(text: string): string {
  return text
    .slice(0, LINE_MAX)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .toWellFormed()
}

/** JSON Schema counts code points. */
function lengthOf(text: string): number {
  return [...text].length
}

function cut(text: string): string {
  if (lengthOf(text) <= TEXT_MAX) return text
  const start = [...text].slice(0, TEXT_MAX - 1)
  return `${start.join('').trimEnd()}…`
}
