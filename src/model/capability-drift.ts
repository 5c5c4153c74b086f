/**
 * Drift of a catalogue: what an MCP server has changed since somebody approved it. An item is told by the hash of everything that a
 * model reads of it, so that a new description alone is a change.
 */
import { contentHash } from '../base/canonical.ts'
import type { Plain } from '../base/plain.ts'
import { isStorable } from '../base/storable.ts'
import { CAPABILITY_TYPES, type CapabilityType, KEY_OF } from './capability.ts'
import type { CapabilityRules } from './capability-rules.ts'

/** What a server offers, as it lists it. */
export type Catalogue = Readonly<Record<CapabilityType, readonly Plain[]>>

/** Hashes of approved items, by type and by what the server calls them. */
export type Approved = Readonly<Record<CapabilityType, Readonly<Record<string, string>>>>

/** Names one item of a catalogue. */
export interface CapabilityKey {
  readonly type: CapabilityType
  readonly key: string
}

/** Members that the hash covers. */
const HASHED: Readonly<Record<CapabilityType, readonly string[]>> = {
  tools: ['name', 'title', 'description', 'inputSchema', 'outputSchema', 'annotations'],
  prompts: ['name', 'title', 'description', 'arguments'],
  resources: ['uri', 'name', 'title', 'description', 'mimeType', 'annotations'],
  resource_templates: ['uriTemplate', 'name', 'title', 'description', 'mimeType', 'annotations'],
}

/** The members of an item that approval is about; those that are absent are left out. */
export function approvable(type: CapabilityType, item: Plain): Plain {
  return Object.fromEntries(
    HASHED[type].filter((name) => Object.hasOwn(item, name)).map((name) => [name, item[name]]),
  )
}

/** Hash of an item; the order of members does not matter. */
export function capabilityHash(type: CapabilityType, item: Plain): string {
  return contentHash(approvable(type, item))
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

/** The hashes of a whole catalogue: what is kept when it is approved. */
export function approvedOf(catalogue: Catalogue): Approved {
  const hashes = (type: CapabilityType): Record<string, string> =>
    Object.fromEntries(
      [...itemsByKey(type, catalogue[type])].map(([key, item]) => [key, capabilityHash(type, item)]),
    )
  return {
    tools: hashes('tools'),
    prompts: hashes('prompts'),
    resources: hashes('resources'),
    resource_templates: hashes('resource_templates'),
  }
}

/** What has been added, changed and removed since the approval, in the order of the catalogue. */
export function driftOf(
  approved: Approved,
  catalogue: Catalogue,
): Readonly<Record<'added' | 'changed' | 'removed', readonly CapabilityKey[]>> {
  const drift: Record<'added' | 'changed' | 'removed', CapabilityKey[]> = {
    added: [],
    changed: [],
    removed: [],
  }
  for (const type of CAPABILITY_TYPES) {
    const items = itemsByKey(type, catalogue[type])
    for (const [key, item] of items) {
      const hash = hashIn(approved, type, key)
      if (hash === undefined) drift.added.push({ type, key })
      else if (hash !== capabilityHash(type, item)) drift.changed.push({ type, key })
    }
    for (const key of Object.keys(approved[type])) if (!items.has(key)) drift.removed.push({ type, key })
  }
  return drift
}

/** Why an item is held back. */
export type Held = 'changed' | 'new'

/**
 * Why the item is held back until an administrator approves it; null if it is not held back. `pin: off` holds back no item.
 * `pin: strict` holds back changed items. `strict` and `warn` hold back new items. `new_items: show` shows new items of the types
 * that have no rules.
 * @param currentHash As of {@link capabilityHash}; asked only where it decides.
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
  return rules.pin === 'strict' && hash !== currentHash() ? 'changed' : null
}

/** The hash of an item; undefined without one. A name may be that of something that every object inherits. */
export function hashIn(approved: Approved, type: CapabilityType, key: string): string | undefined {
  const hashes = approved[type]
  return Object.hasOwn(hashes, key) ? hashes[key] : undefined
}
