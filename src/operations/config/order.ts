import { refuse } from '../../base/refusal.ts'
import type { Fields } from '../../store/ports/config.ts'
import { kindOf } from '../kinds.ts'
import { idsOf, parentRef, refsIn } from '../refs.ts'
import { addressOf } from './address.ts'
import type { State } from './state.ts'
import type { Step } from './steps.ts'

/**
 * Steps so ordered that each finds what it needs: what it refers to is there, and what refers to a resource lets go
 * before that is removed. Where two resources change places, such as a base path, the one that gives it up goes first.
 * Refuses with input_invalid what refers to itself in a circle.
 */
export function inDependence(steps: readonly Step[], state: State): readonly Step[] {
  const byItem = new Map(steps.map((step) => [step.item, step]))
  const holders = holdersOf(steps, state)
  const users = usersOf(steps)
  const ordered: Step[] = []
  const open = new Set<Step>()
  const done = new Set<Step>()
  const visit = (step: Step, mustNot: boolean): void => {
    if (done.has(step)) return
    if (open.has(step)) {
      if (!mustNot) return
      const circle = [...open].slice([...open].indexOf(step)).map(({ item }) => item)
      throw refuse('input_invalid', {
        detail: `These refer to one another in a circle: ${circle.join(', ')}.`,
      })
    }
    open.add(step)
    if (step.action === 'remove') for (const user of users.get(step.before!.id) ?? []) visit(user, false)
    else {
      for (const address of needsOf(step)) {
        const needed = byItem.get(address)
        // What stands already may be referred to before it is changed
        if (needed !== undefined && needed.action !== 'remove') visit(needed, needed.action === 'create')
      }
      const holder = holders.get(keyOf(step) ?? '')
      if (holder !== undefined && holder !== step) visit(holder, false)
    }
    open.delete(step)
    done.add(step)
    ordered.push(step)
  }
  for (const step of steps) visit(step, false)
  return ordered
}

/** Addresses that a wanted spec refers to. */
function needsOf({ desired, spec }: Step): readonly string[] {
  const needs = refsIn(desired!.kind, spec).map(({ type, ref }) => addressOf(type, ref))
  const endpoints = spec['endpoints']
  if (desired!.kind.type === 'profiles')
    for (const list of Object.values((endpoints ?? {}) as Fields))
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
function holdersOf(steps: readonly Step[], state: State): ReadonlyMap<string, Step> {
  const holders = new Map<string, Step>()
  for (const step of steps) {
    if (step.before?.key == null) continue
    const { type, parent, key } = step.before
    const held = `${type} ${parent === null ? '' : (state.slugs.get(parent) ?? parent)} ${key}`
    if (step.action === 'remove' || keyOf(step) !== held) holders.set(held, step)
  }
  return holders
}

/** Steps of what refers to, or lies below, each resource that is to be removed. */
function usersOf(steps: readonly Step[]): ReadonlyMap<string, readonly Step[]> {
  const removed = new Set(steps.flatMap(({ action, before }) => (action === 'remove' ? [before!.id] : [])))
  const users = new Map<string, Step[]>()
  if (removed.size === 0) return users
  for (const step of steps) {
    if (step.before === null) continue
    const { type, spec, parent } = step.before
    const to = idsOf(kindOf(type), spec)
    if (parent !== null) to.push(parent)
    for (const id of to) if (removed.has(id)) users.set(id, [...(users.get(id) ?? []), step])
  }
  return users
}
