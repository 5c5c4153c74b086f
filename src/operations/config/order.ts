/** The order of the steps: removals first, then each resource before the resources that refer to it. */
import { refuse } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import { parentRef, refsIn } from '../engine/refs.ts'
import type { DiffEntry } from '../engine/write-options.ts'
import { KINDS_IN_ORDER } from '../kinds.ts'
import { addressOf } from './address.ts'
import type { Desired, State } from './state.ts'

/** Which side has changed since the documents were applied last. */
export type Side = 'documents' | 'instance' | 'both'

/** What is to be done to one resource. */
export interface Step {
  readonly action: 'create' | 'update' | 'adopt' | 'remove'
  readonly item: string
  /** As it stands; null for what is to be made. */
  readonly before: Resource | null
  /** Null for what is to be removed. */
  readonly desired: Desired | null
  /** In the words of documents, with the secrets that are to be set; endpoints are still addresses. */
  readonly spec: Fields
  readonly diff: readonly DiffEntry[]
  /** Set where it was applied before and differs now. */
  readonly side: Side | null
}

/**
 * Steps so ordered that each finds what it needs. Removals go first, what lies below before what it lies in, so that
 * what they hold is free. Then what others refer to, and where a resource gives up what another takes, such as a base
 * path, that one before. Refuses with input_invalid what refers to itself in a circle.
 */
export async function inDependence(steps: readonly Step[], state: State): Promise<readonly Step[]> {
  const byItem = new Map<string, Step>()
  for (const step of steps) {
    byItem.set(step.item, step)
    await yieldThread(byItem.size)
  }
  const holders = await holdersOf(steps, state)
  const ordered = removalsOf(steps)
  await yieldThread(0)
  const open = new Set<Step>()
  const done = new Set<Step>(ordered)
  const visit = (step: Step, isNeeded: boolean): void => {
    if (done.has(step)) return
    if (open.has(step)) {
      if (!isNeeded) return
      const circle = [...open].slice([...open].indexOf(step)).map(({ item }) => item)
      throw refuse('input_invalid', {
        detail: `These resources refer to each other in a circle: ${circle.join(', ')}.`,
      })
    }
    open.add(step)
    for (const address of needsOf(step, true)) {
      const needed = byItem.get(address)
      // What stands already may be referred to before it is changed
      if (needed !== undefined) visit(needed, needed.action === 'create')
    }
    const holder = holders.get(keyOf(step) ?? '')
    if (holder !== undefined && holder !== step) visit(holder, false)
    open.delete(step)
    done.add(step)
    ordered.push(step)
  }
  for (const [index, step] of steps.entries()) {
    visit(step, false)
    await yieldThread(index + 1)
  }
  return ordered
}

function removalsOf(steps: readonly Step[]): Step[] {
  const removals = steps.filter(({ action }) => action === 'remove')
  const rank = new Map(KINDS_IN_ORDER.map(({ type }, index) => [type, index]))
  return removals.sort((a, b) => rank.get(b.before!.type)! - rank.get(a.before!.type)!)
}

/** Addresses that a wanted spec refers to. @param isFirst only those that must be there before it */
export function needsOf(
  { desired, spec }: Pick<Step, 'desired' | 'spec'>,
  isFirst: boolean = false,
): readonly string[] {
  if (desired === null) return []
  const needs = refsIn(desired.kind, spec)
    .filter(({ isLate }) => !(isFirst && isLate))
    .map(({ type, ref }) => addressOf(type, ref))
  if (desired.kind.type === 'profiles')
    for (const list of Object.values((spec['endpoints'] ?? {}) as Fields))
      for (const entry of list as readonly unknown[])
        if (String(entry).startsWith('proxy/')) needs.push(String(entry))
  return needs
}

/** What may stand once alone, such as a base path. */
function keyOf({ desired, spec }: Step): string | null {
  const key = desired?.kind.keyOf?.(spec)
  if (desired === null || key == null) return null
  return `${desired.kind.type} ${parentRef(desired.kind, spec) ?? ''} ${key}`
}

/** Steps that give up such a thing. */
async function holdersOf(steps: readonly Step[], state: State): Promise<ReadonlyMap<string, Step>> {
  const holders = new Map<string, Step>()
  for (const [index, step] of steps.entries()) {
    await yieldThread(index + 1)
    if (step.before?.key == null) continue
    const { type, parent, key } = step.before
    const ownKey = `${type} ${parent === null ? '' : (state.slugs.get(parent) ?? parent)} ${key}`
    if (keyOf(step) !== ownKey) holders.set(ownKey, step)
  }
  return holders
}
