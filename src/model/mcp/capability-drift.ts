/**
 * Drift of a catalogue: what an MCP server has changed since an administrator approved it.
 *
 * 1. An approval covers every member that clients receive. Its text has two parts: the hash of the base members, and after a period the
 *    hash of the metadata, which is all other members. The second part is empty for an item without metadata.
 * 2. Approvals of earlier versions have the first part alone. They stay valid while the base members are unchanged, but cover no
 *    metadata and no instructions: both are withheld until an administrator approves them once per origin.
 * 3. Every list is made of what {@link deliveredItem} and {@link deliveredInstructions} give.
 */
import { contentHash, textHash } from '../../base/json/canonical.ts'
import { isStorable, type Plain } from '../../base/json/storable.ts'
import {
  CAPABILITY_TYPES,
  type CapabilityRules,
  type CapabilityType,
  type DriftType,
  KEY_OF,
} from './capability.ts'

/** What a server offers, as it lists it. */
export type Catalogue = Readonly<Record<CapabilityType, readonly Plain[]>>

/** What an origin gives clients beside results of calls. */
export interface Listed {
  readonly catalogue: Catalogue
  /** Empty without. */
  readonly instructions: string
}

type Hashes = Readonly<Record<string, string>>

/** Approvals of items, by type and by what the server calls them. */
export interface Approved extends Readonly<Record<CapabilityType, Hashes>> {
  /** Hash of the instructions under the key `instructions`; absent if the approval does not cover them. */
  readonly instructions?: Hashes
}

/** Names one item of a catalogue. */
export interface CapabilityKey {
  readonly type: CapabilityType
  readonly key: string
}

/** Names one thing that has drifted. The only key of `instructions` and of `metadata` is that word itself. */
export interface DriftKey {
  readonly type: DriftType
  readonly key: string
}

/** Members that the first part of an approval covers. */
const BASE: Readonly<Record<CapabilityType, readonly string[]>> = {
  tools: ['name', 'title', 'description', 'inputSchema', 'outputSchema', 'annotations'],
  prompts: ['name', 'title', 'description', 'arguments'],
  resources: ['uri', 'name', 'title', 'description', 'mimeType', 'annotations'],
  resource_templates: ['uriTemplate', 'name', 'title', 'description', 'mimeType', 'annotations'],
}

function baseOf(type: CapabilityType, item: Plain): Plain {
  return Object.fromEntries(
    BASE[type].filter((name) => Object.hasOwn(item, name)).map((name) => [name, item[name]]),
  )
}

/** Every member outside of the base, such as `icons`, `_meta`, `execution` and members of later revisions. */
function metadataOf(type: CapabilityType, item: Plain): Plain {
  return Object.fromEntries(Object.entries(item).filter(([name]) => !BASE[type].includes(name)))
}

/** The item with its base members first, in the order in which people read them. */
export function inReadingOrder(type: CapabilityType, item: Plain): Plain {
  return { ...baseOf(type, item), ...metadataOf(type, item) }
}

const SEPARATOR = '.'

/** Hash of the base members of an item; the order of members does not matter. */
export function capabilityHash(type: CapabilityType, item: Plain): string {
  return contentHash(baseOf(type, item))
}

/** The approval of an item as it is now. */
export function approvalOf(type: CapabilityType, item: Plain): string {
  const metadata = metadataOf(type, item)
  const hash = Object.keys(metadata).length === 0 ? '' : contentHash(metadata)
  return `${capabilityHash(type, item)}${SEPARATOR}${hash}`
}

/** The hash of the base members in an approval, as of {@link capabilityHash}. */
export function baseHashOf(approval: string): string {
  return approval.split(SEPARATOR, 1)[0]!
}

/** True if the approval covers the metadata too. */
export function coversMetadata(approval: string): boolean {
  return approval.includes(SEPARATOR)
}

/** The members of an item that the approval covers; the item itself where those are all. */
export function coveredPart(approval: string, type: CapabilityType, item: Plain): Plain {
  const isWhole = coversMetadata(approval) || Object.keys(item).every((name) => BASE[type].includes(name))
  return isWhole ? item : baseOf(type, item)
}

/** True if nothing that the approval covers has changed. @param current as of {@link approvalOf} */
export function isAsApproved(approval: string, current: string): boolean {
  return coversMetadata(approval) ? approval === current : approval === baseHashOf(current)
}

/** Characters of what a server calls an item. */
const KEY_CHARS_MAX = 2048
/** Nesting of an item: deeper ones would exhaust the stack of whatever reads them. */
const DEPTH_MAX = 200

/**
 * Items of one type, by the name, URI or URI template that the server gives them. If the server lists the same name twice, the first
 * item is used. An item is left out if its name is absent, longer than 2,048 characters or not storable, or if the item is nested
 * more than 200 levels deep.
 */
export function itemsByKey(type: CapabilityType, items: readonly Plain[]): Map<string, Plain> {
  const found = new Map<string, Plain>()
  for (const item of items) {
    const key = item[KEY_OF[type]]
    if (typeof key !== 'string' || key === '' || key.length > KEY_CHARS_MAX) continue
    if (isStorable(key) && !found.has(key) && !isDeep(item)) found.set(key, item)
  }
  return found
}

function isDeep(item: Plain): boolean {
  let level: unknown[] = [item]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEPTH_MAX) return true
    level = level.flatMap((value) =>
      value === null || typeof value !== 'object' ? [] : Object.values(value as object),
    )
  }
  return false
}

/** What is kept when all that an origin lists is approved. @param instructions absent: the approval does not cover them */
export function approvedOf(catalogue: Catalogue, instructions?: string): Approved {
  const hashes = (type: CapabilityType): Record<string, string> =>
    Object.fromEntries(
      [...itemsByKey(type, catalogue[type])].map(([key, item]) => [key, approvalOf(type, item)]),
    )
  return {
    ...(instructions === undefined ? {} : { instructions: { instructions: textHash(instructions) } }),
    tools: hashes('tools'),
    prompts: hashes('prompts'),
    resources: hashes('resources'),
    resource_templates: hashes('resource_templates'),
  }
}

/** What has been added, changed and removed since an approval, in the order of the catalogue. */
export type Drift = Readonly<Record<'added' | 'changed' | 'removed', readonly DriftKey[]>>

/** Computes what has drifted since the approval, with a pause after each item. */
export function* driftPaused(
  approved: Approved,
  { catalogue, instructions }: Listed,
): Generator<void, Drift> {
  const drift: Record<'added' | 'changed' | 'removed', DriftKey[]> = {
    added: [],
    changed: [],
    removed: [],
  }
  for (const type of CAPABILITY_TYPES) {
    const items = itemsByKey(type, catalogue[type])
    for (const [key, item] of items) {
      yield
      const hash = hashIn(approved, type, key)
      if (hash === undefined) drift.added.push({ type, key })
      else if (!isAsApproved(hash, approvalOf(type, item))) drift.changed.push({ type, key })
    }
    for (const key of Object.keys(approved[type])) if (!items.has(key)) drift.removed.push({ type, key })
  }
  const known = approved.instructions?.['instructions']
  if (known !== undefined && known !== textHash(instructions)) {
    const change = known === NO_INSTRUCTIONS ? 'added' : instructions === '' ? 'removed' : 'changed'
    drift[change].push({ type: 'instructions', key: 'instructions' })
  }
  if (uncoveredIn(approved, { catalogue, instructions }) !== null)
    drift.added.push({ type: 'metadata', key: 'metadata' })
  return drift
}

/** Approval of an origin without instructions. */
export const NO_INSTRUCTIONS = textHash('')

/** What is delivered although an approval of an earlier version does not cover it. */
export interface Uncovered {
  /** Metadata of items by type and key, and the instructions. */
  readonly content: Plain
  /** Approvals that cover everything, of all items that are as they were approved. */
  readonly approvals: readonly (DriftKey & { readonly hash: string })[]
}

/** What clients would receive without an approval that covers it; null for nothing. */
export function uncoveredIn(approved: Approved, { catalogue, instructions }: Listed): Uncovered | null {
  const content: [string, unknown][] = []
  const approvals: (DriftKey & { readonly hash: string })[] = []
  if (approved.instructions === undefined) {
    if (instructions !== '') content.push(['instructions', instructions])
    approvals.push({ type: 'instructions', key: 'instructions', hash: textHash(instructions) })
  }
  for (const type of CAPABILITY_TYPES) {
    const found: [string, Plain][] = []
    for (const [key, item] of itemsByKey(type, catalogue[type])) {
      const known = hashIn(approved, type, key)
      if (known === undefined || coversMetadata(known)) continue
      const hash = approvalOf(type, item)
      if (!isAsApproved(known, hash)) continue
      approvals.push({ type, key, hash })
      const metadata = metadataOf(type, item)
      if (Object.keys(metadata).length > 0) found.push([key, metadata])
    }
    if (found.length > 0) content.push([type, Object.fromEntries(found)])
  }
  return content.length === 0 ? null : { content: Object.fromEntries(content), approvals }
}

/** Why an item is held back. */
export type Held = 'changed' | 'new'

/**
 * Why the item is held back until an administrator approves it; null if it is not held back. `pin: off` holds back no item.
 * `pin: strict` holds back changed items. `strict` and `warn` hold back new items. `new_items: show` shows new items of the types
 * that have no rules.
 * @param currentHash As of {@link approvalOf}; asked only where it decides.
 */
export function heldBack(
  rules: CapabilityRules,
  approved: Approved,
  { type, key }: CapabilityKey,
  currentHash: () => string,
): Held | null {
  if (rules.pin === 'off') return null
  const hash = hashIn(approved, type, key)
  if (hash === undefined) return rules.new_items === 'show' && rules[type] === undefined ? null : 'new'
  return rules.pin === 'strict' && !isAsApproved(hash, currentHash()) ? 'changed' : null
}

/**
 * An item as clients receive it: without metadata if `pin: strict` holds and its approval does not cover metadata.
 * @param approved null: nothing is held back
 */
export function deliveredItem(
  rules: CapabilityRules,
  approved: Approved | null,
  { type, key }: CapabilityKey,
  item: Plain,
): Plain {
  if (approved === null || rules.pin !== 'strict') return item
  const hash = hashIn(approved, type, key)
  return hash === undefined ? item : coveredPart(hash, type, item)
}

/** Instructions as clients receive them: empty if `pin: strict` holds and they are not approved. */
export function deliveredInstructions(
  rules: CapabilityRules,
  approved: Approved | null,
  instructions: string,
): string {
  if (approved === null || rules.pin !== 'strict' || instructions === '') return instructions
  return approved.instructions?.['instructions'] === textHash(instructions) ? instructions : ''
}

/** The hash of an item; undefined without one. A name may be that of something that every object inherits. */
export function hashIn(approved: Approved, type: CapabilityType, key: string): string | undefined {
  const hashes = approved[type]
  return Object.hasOwn(hashes, key) ? hashes[key] : undefined
}

/** Name of the part of an origin's state that {@link CatalogueState} is. */
export const CATALOGUE = 'catalogue'

/** How an origin is spoken to. */
export interface Verdict {
  readonly era: 'modern' | 'legacy'
  /** Revision of the protocol. */
  readonly version: string
  readonly transport: 'streamable_http' | 'http_sse'
  readonly server: { readonly name: string; readonly version: string }
  /** As the server declares them: JSON. */
  readonly capabilities: Readonly<Record<string, unknown>>
  readonly instructions: string
  /** Of kind stdio: the runner has a process per user. */
  readonly per_user?: true
  /** When the probe has found it out (RFC 3339). */
  readonly at: string
}

/** What the last probe of an origin has found. */
export interface CatalogueState {
  readonly verdict: Verdict
  readonly catalogue: Catalogue
  /** What was left out of the catalogue, as sentences. */
  readonly warnings: readonly string[]
  /** Lists that could not be read, while others could: what was known of them before is kept. Absent for none. */
  readonly unread?: readonly CapabilityType[]
  /** Time for which the origin says that its lists hold, milliseconds; null where it says nothing. */
  readonly ttl_ms: number | null
}

export const EMPTY_CATALOGUE: Catalogue = { tools: [], prompts: [], resources: [], resource_templates: [] }
