/** The origin that a person describes before it is stored: what the server is asked by, and what is then created. */
import type { JsonObject } from '../../../build/document.ts'
import type { Output } from '../../api/client.ts'

export type AuthMode = NonNullable<Output<'origins.probe'>['recommended_auth_mode']>

export const KINDS = [
  { kind: 'http', label: 'An MCP server at a URL', member: 'url' },
  { kind: 'stdio', label: 'A program that postern runner starts', member: 'entry' },
  { kind: 'collection', label: 'The endpoints of a collection', member: 'collection' },
] as const
export type Kind = (typeof KINDS)[number]['kind']

export const AUTH_MODES: readonly {
  readonly mode: AuthMode
  readonly label: string
  readonly hint: string
}[] = [
  { mode: 'static', label: 'The credential above, or nothing', hint: 'All callers share it.' },
  {
    mode: 'user_oauth',
    label: 'The account of each person',
    hint: 'Each person signs in at the server once, at the page /connect.',
  },
  {
    mode: 'shared_oauth',
    label: 'One account for all callers',
    hint: 'An administrator signs in at the server once, at the page /connect.',
  },
  { mode: 'user_key', label: 'A key of each person', hint: 'Each person enters a key at the page /connect.' },
  {
    mode: 'token_exchange',
    label: 'A token of the identity provider',
    hint: 'Postern exchanges a token for each person (RFC 8693). People need not connect an account.',
  },
  {
    mode: 'id_jag',
    label: 'An identity assertion of the identity provider',
    hint: 'Postern gets an ID-JAG for each person. People need not connect an account.',
  },
]

export interface Asked {
  readonly kind: Kind
  /** The URL, the entry of the runner or the collection. */
  readonly place: string
  /** Slug; empty for none. */
  readonly credential: string
}

/** Members of the origin that its server is asked by. */
export function definitionOf({ kind, place, credential }: Asked): JsonObject {
  const { member } = KINDS.find((one) => one.kind === kind)!
  return {
    kind,
    [member]: place.trim(),
    ...(credential !== '' && kind === 'http' && { credential }),
  }
}

/** Labels of a host that name no product. */
const PLAIN = new Set(['www', 'mcp', 'api', 'localhost'])

/**
 * A name to begin with: what the server calls itself, else the part of its host that names a product, else the entry or the collection.
 * Empty where nothing of that is fit for a name.
 */
export function nameFrom({ kind, place }: Asked, server: string | null): string {
  const own = server?.trim() ?? ''
  if (own !== '') return own.slice(0, 100)
  if (kind !== 'http') return place.trim()
  if (!URL.canParse(place)) return ''
  const { hostname } = new URL(place)
  if (/^[\d.:[\]]+$/.test(hostname)) return ''
  const labels = hostname.split('.').filter((label) => !PLAIN.has(label))
  return labels.length > 1 ? labels.at(-2)! : (labels[0] ?? '')
}

/** Input of the operation that creates the origin. Members that keep their default are left out. */
export function createInput(
  asked: Asked,
  { name, mode, isAsked }: { readonly name: string; readonly mode: AuthMode; readonly isAsked: boolean },
): JsonObject {
  return {
    name: name.trim(),
    ...definitionOf(asked),
    ...(mode !== 'static' && asked.kind === 'http' && { auth_mode: mode }),
    ...(!isAsked && { probe: false }),
  }
}
