/**
 * A virtual MCP as a token sees it that is restricted to a part of the virtual MCP.
 *
 * 1. An item outside of the part gets the same object as one that does not exist.
 * 2. Lists and calls ask the same question. It is asked about the item as the caller's list has it.
 */
import {
  CAPABILITY_TYPES,
  type CapabilitySelection,
  type CapabilityType,
} from '../../model/mcp/capability.ts'
import { listOf } from './capabilities.ts'
import { type Capabilities, UNKNOWN, type VisibleList } from './capability-caller.ts'
import { toMatch } from './capability-uris.ts'
import type { Visible } from './capability-view.ts'
import { isPlainUri } from './uri-template.ts'
import type { JoinedVirtualMcp } from './virtual-mcps.ts'

/** Kept with the virtual MCP: doors know endpoints and streams by the object. */
const narrowed = new WeakMap<JoinedVirtualMcp, WeakMap<CapabilitySelection, JoinedVirtualMcp>>()

/** The virtual MCP with what the selection leaves of it; the same object for the same two. */
export function withSelection(joined: JoinedVirtualMcp, selection: CapabilitySelection): JoinedVirtualMcp {
  let known = narrowed.get(joined)
  if (known === undefined) {
    known = new WeakMap()
    narrowed.set(joined, known)
  }
  let made = known.get(selection)
  if (made === undefined) {
    made = { ...joined, capabilities: selectedOf(joined.capabilities, selection), whole: joined.capabilities }
    known.set(selection, made)
  }
  return made
}

/** The capabilities that the selection leaves. */
export function selectedOf(all: Capabilities, selection: CapabilitySelection): Capabilities {
  const isLeft = questionOf(selection)
  const lists = new WeakMap<VisibleList, VisibleList>()

  const visible: Capabilities['visible'] = (caller, type) => {
    const whole = all.visible(caller, type)
    if (selection[type] === undefined) return whole
    let list = lists.get(whole)
    if (list === undefined) {
      const items = whole.items.filter((item) => isLeft(type, item))
      list = items.length === whole.items.length ? whole : listOf(items)
      lists.set(whole, list)
    }
    return list
  }
  const find: Capabilities['find'] = (caller, type, name) => {
    const item = all.find(caller, type, name)
    return item !== null && isLeft(type, item) ? item : null
  }

  let legacy: Capabilities | null = null
  const selected: Capabilities = {
    visible,
    find,
    call: (caller, type, name, given) =>
      find(caller, type, name) === null ? UNKNOWN : all.call(caller, type, name, given),
    isHeld: (caller, type, name) => all.isHeld(caller, type, name),
    complete: (caller, type, name, given) =>
      find(caller, type, name) === null ? UNKNOWN : all.complete(caller, type, name, given),
    read(caller, uri) {
      const admission = all.read(caller, uri)
      if (admission.kind === 'unknown') return UNKNOWN
      if (admission.kind === 'refused') {
        const { type } = admission.item
        return isLeft(type, admission.item) ? admission : UNKNOWN
      }
      const { member, item } = admission
      // What no list has is of no type that was named
      if (item === null)
        return selection.resources === undefined && selection.resource_templates === undefined
          ? admission
          : UNKNOWN
      if (item.type === 'resources')
        return find(caller, 'resources', all.publicUri(member, item.key)) === null ? UNKNOWN : admission
      // Another spelling could mean a resource that was left out
      if (selection.resources !== undefined && !isPlainUri(admission.uri)) return UNKNOWN
      const isListed = visible(caller, 'resource_templates').items.some(
        (one) => one.member === member && one.key === item.key,
      )
      return isListed ? admission : UNKNOWN
    },
    publicUri: all.publicUri,
    explain(caller, type, name) {
      const found = all.explain(caller, type, name)
      return found.shown && find(caller, type, name) === null ? { ...found, shown: false } : found
    },
    get legacy() {
      legacy ??= all.legacy === all ? selected : selectedOf(all.legacy, selection)
      return legacy
    },
  }
  return selected
}

function questionOf(selection: CapabilitySelection): (type: CapabilityType, item: Visible) => boolean {
  const matches = new Map(
    CAPABILITY_TYPES.map((type) => [type, selection[type]?.map((match) => toMatch(type, match))]),
  )
  return (type, { shown, alias }) => {
    const meant = matches.get(type)
    if (meant === undefined || meant.some((fits) => fits(shown))) return true
    // Selections that were made when this was the name go on
    return alias !== undefined && meant.some((fits) => fits({ ...shown, name: alias }))
  }
}
