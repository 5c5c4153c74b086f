/** Who has access: grants as sentences, permissions of a role as a grid, and teams as a tree. */
import type { JsonObject } from '../../../build/document.ts'

const BUILT_IN: Readonly<Record<string, string>> = {
  viewer: 'read',
  modifier: 'read and change',
  auditor: 'read the records and verify the audit log of',
  admin: 'read, change and grant',
}

/** Where a grant or a rule holds; an empty list sets no limit. */
export interface Scope {
  readonly resource_types: readonly string[]
  readonly verbs: readonly string[]
  readonly collections: readonly string[]
  readonly virtual_mcps: readonly string[]
  readonly tags: readonly string[]
}

/** `a`, `a and b`, `a, b and c`. */
export function listed(words: readonly string[], conjunction = 'and'): string {
  if (words.length < 2) return words[0] ?? ''
  return `${words.slice(0, -1).join(', ')} ${conjunction} ${words.at(-1)}`
}

function names(list: readonly string[]): readonly string[] {
  return list.map((name) => name.replaceAll('_', ' ').replace(/\bmcps\b/, 'MCPs'))
}

/** What a scope leaves, such as `proxies and policies in the collections orders and payments`; `everything` without a limit. */
function scopeWords(scope: Scope): string {
  const types = scope.resource_types.length === 0 ? 'everything' : listed(names(scope.resource_types))
  const places = [
    scope.collections.length > 0 &&
      `the ${scope.collections.length === 1 ? 'collection' : 'collections'} ${listed(scope.collections)}`,
    scope.virtual_mcps.length > 0 &&
      `the virtual ${scope.virtual_mcps.length === 1 ? 'MCP' : 'MCPs'} ${listed(scope.virtual_mcps)}`,
  ].filter((one) => typeof one === 'string')
  const tags = scope.tags.length > 0 ? ` with the tag ${listed(scope.tags, 'or')}` : ''
  return `${types}${places.length > 0 ? ` in ${listed(places)}` : ''}${tags}`
}

function roleWords(role: string): string {
  return BUILT_IN[role] ?? `do what the role ${role} allows with`
}

function holderWords(grant: JsonObject): string {
  for (const [member, words] of [
    ['user', ''],
    ['team', 'Members of the team '],
    ['service_identity', 'The service identity '],
    ['group', 'Users in the group '],
  ] as const)
    if (typeof grant[member] === 'string') return `${words}${grant[member]}`
  return 'Nobody'
}

/**
 * A grant as a sentence: `ann may see and change proxies in the collection orders until 2026-12-01.`
 * @param grant as `grants.get` answers it
 */
export function grantSentence(grant: JsonObject): string {
  const scope = grant['scope'] as unknown as Scope
  const can = roleWords(String(grant['role']))
  const verbs = scope.verbs.length > 0 ? `, limited to ${listed(names(scope.verbs))}` : ''
  const end = typeof grant['expires_at'] === 'string' ? ` until ${grant['expires_at'].slice(0, 10)}` : ''
  return `${holderWords(grant)} may ${can} ${scopeWords(scope)}${verbs}${end}.`
}

/**
 * The compact form of a grant in words: `May read and change proxies in the collections orders and payments.`
 * @param text such as `modifier:proxies@orders,payments`, `viewer@tag:partner` or `modifier@mcp:desk`
 */
export function grantWords(text: string): string {
  const [what = '', where] = text.split('@')
  const [role = '', types] = what.split(':')
  const places = where?.split(',') ?? []
  const after = (mark: string): string[] =>
    places.flatMap((place) => (place.startsWith(mark) ? [place.slice(mark.length)] : []))
  return `May ${roleWords(role)} ${scopeWords({
    resource_types: types?.split(',') ?? [],
    verbs: [],
    collections: places.filter((place) => !place.includes(':')),
    virtual_mcps: after('mcp:'),
    tags: after('tag:'),
  })}.`
}

interface OwnGrant {
  /** Compact form, such as `modifier:proxies@payments`. */
  readonly grant: string
  readonly role: string | null
  readonly scope: Scope
}

/** The grants of a person that a token can be limited to, each with a sentence. One without a role has no name to limit to. */
export function grantChoices(grants: readonly OwnGrant[]): { grant: string; sentence: string }[] {
  return grants.flatMap(({ grant, role, scope }) =>
    role === null
      ? []
      : [{ grant, sentence: grantSentence({ user: 'You', role, scope } as unknown as JsonObject) }],
  )
}

/** Grants that were typed, one a line. */
export function grantLines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

// Permissions of a role as a grid of resources and verbs.

export interface PermissionGrid {
  readonly verbs: readonly string[]
  readonly rows: readonly { readonly resource: string; readonly verbs: ReadonlySet<string> }[]
}

const ORDER = ['read', 'create', 'update', 'delete', 'publish', 'test', 'rotate', 'reveal', 'use']

/** @param permissions such as `proxies:read` */
export function gridOf(permissions: readonly string[]): PermissionGrid {
  const pairs = permissions.map((permission) => permission.split(':'))
  const byResource = Map.groupBy(pairs, ([resource = '']) => resource)
  const found = new Set(pairs.map(([, verb = '']) => verb))
  const verbs = [
    ...ORDER.filter((verb) => found.has(verb)),
    ...[...found].filter((verb) => !ORDER.includes(verb)).sort(),
  ]
  const rows = [...byResource]
    .map(([resource, own]) => ({ resource, verbs: new Set(own.map(([, verb = '']) => verb)) }))
    .sort((a, b) => (a.resource < b.resource ? -1 : 1))
  return { verbs, rows }
}

interface Team {
  readonly slug: string
  readonly name: string
  /** Slug of the parent team. */
  readonly parent: string | null
}

export interface TeamNode {
  readonly slug: string
  readonly name: string
  readonly below: readonly TeamNode[]
}

/** Teams below their parents. A team whose parent is not among them stands at the top. */
export function treeOf(teams: readonly Team[]): readonly TeamNode[] {
  const known = new Set(teams.map(({ slug }) => slug))
  const children = Map.groupBy(teams, ({ parent }) => (parent !== null && known.has(parent) ? parent : null))
  const below = (parent: string | null): TeamNode[] =>
    (children.get(parent) ?? []).map(({ slug, name }) => ({ slug, name, below: below(slug) }))
  return below(null)
}
