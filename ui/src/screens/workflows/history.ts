/**
 * Changes of a workflow: undo and redo, and what differs between two definitions. A gesture is one step: changes with the same key
 * follow one another in it until it is sealed.
 */
import type { Json, JsonObject } from '../../../build/document.ts'
import type { DiffEntry } from '../../api/client.ts'
import { type Entry, entriesOf, isObject } from '../../schema/value.ts'
import { type Definition, definitionOf } from './definition.ts'

export interface History<T> {
  readonly past: readonly T[]
  readonly present: T
  readonly future: readonly T[]
  /** Key of the gesture that may go on; null: the next change begins a step. */
  readonly gesture: string | null
}

const STEPS_MAX = 200

export function begin<T>(present: T): History<T> {
  return { past: [], present, future: [], gesture: null }
}

/** Records a change. `gesture`: such as the name of a field, so that all letters typed into it are one step. */
export function change<T>(history: History<T>, next: T, gesture: string | null = null): History<T> {
  if (next === history.present) return history
  const goesOn = gesture !== null && gesture === history.gesture
  const past = goesOn ? history.past : [...history.past, history.present].slice(-STEPS_MAX)
  return { past, present: next, future: [], gesture }
}

/** The gesture is over. */
export function seal<T>(history: History<T>): History<T> {
  return history.gesture === null ? history : { ...history, gesture: null }
}

export function undo<T>({ past, present, future, gesture }: History<T>): History<T> {
  const before = past.at(-1)
  return before === undefined
    ? { past, present, future, gesture }
    : { past: past.slice(0, -1), present: before, future: [present, ...future], gesture: null }
}

export function redo<T>({ past, present, future, gesture }: History<T>): History<T> {
  const [next, ...rest] = future
  return next === undefined
    ? { past, present, future, gesture }
    : { past: [...past, present], present: next, future: rest, gesture: null }
}

// What differs between two definitions, node by node and edge by edge.

/** Nodes by id and edges by their ends: a list would differ as a whole. */
function byName({ nodes, edges, tests }: Definition): JsonObject {
  return {
    nodes: Object.fromEntries(nodes.map(({ id, ...rest }) => [id, rest as unknown as Json])),
    edges: Object.fromEntries(edges.map(({ from, handle, to }) => [`${from} ${handle} to ${to}`, true])),
    ...(tests !== undefined && { tests: tests as Json }),
  }
}

export function changesBetween(before: Definition, after: Definition): readonly Entry[] {
  return entriesOf(byName(before), byName(after))
}

/**
 * A difference as the server tells it, with its lists of nodes and edges item by item, and nodes by id. Its other entries stay.
 * The server names a node by its place in the list, where most nodes of the list stayed.
 */
export function itemized(diff: readonly DiffEntry[]): readonly DiffEntry[] {
  return diff.flatMap((entry): readonly DiffEntry[] => {
    const node = ofNode(entry)
    if (node !== null) return [node]
    const [, place, list] = /^(.*)\/(nodes|edges|definition)$/.exec(entry.path) ?? []
    if (place === undefined || list === undefined) return [entry]
    const of = (value: unknown): Definition =>
      definitionOf((list === 'definition' ? (value ?? {}) : { [list]: value ?? [] }) as Json)
    const root = list === 'definition' ? `${place}/definition` : place
    return changesBetween(of(entry.from), of(entry.value)).map((one) => ({ ...one, path: root + one.path }))
  })
}

/** An entry about one node, named by the id of the node; null for other entries, and for a node that is too long to be shown. */
function ofNode({ item, ...entry }: DiffEntry): DiffEntry | null {
  const [, place, rest = ''] = /^(.*?\/nodes)\/\d+(\/.*)?$/.exec(entry.path) ?? []
  if (place === undefined) return null
  if (item !== undefined) {
    const [id, ...within] = item.split(' ')
    return { ...entry, path: `${place}/${id}${rest}`, ...(within.length > 0 && { item: within.join(' ') }) }
  }
  const whole = entry.op === 'add' ? entry.value : entry.from
  if (rest !== '' || !isObject(whole) || typeof whole['id'] !== 'string') return null
  const { id, ...members } = whole
  const path = `${place}/${id}`
  return entry.op === 'add' ? { ...entry, path, value: members } : { ...entry, path, from: members }
}
