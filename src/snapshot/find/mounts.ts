/** Finds the collection of a path and a host. */
import type { LinkedCollection } from '../linked/collection.ts'
import { looseParts, toLooseMatch } from './plain-path.ts'

/** Collections by base path; the longest one that is a prefix at a slash wins, also where base paths nest. */
export interface Mounts {
  /**
   * @param path canonical path of a request. @param host authority, lower case, with or without port; empty for none.
   */
  find(path: string, host: string): LinkedCollection | null
  /**
   * The collection below `collection` that a lenient server may read the path of a request as one of; null when there is none.
   * @param collection what `find` gave for the path and the host
   */
  readDeeper(collection: LinkedCollection, path: string, host: string): LinkedCollection | null
}

export const NO_MOUNTS: Mounts = { find: () => null, readDeeper: () => null }

/** At one base path, collections for named hosts go before one for all; the smaller id decides between equals. */
export function toMounts(collections: Iterable<LinkedCollection>): Mounts {
  const byPath = new Map<string, LinkedCollection[]>()
  let depthMax = 0
  for (const collection of collections) {
    const path = collection.fragment.base_path
    const there = byPath.get(path)
    if (there === undefined) byPath.set(path, [collection])
    else there.push(collection)
    depthMax = Math.max(depthMax, path.split('/').length - 1)
  }
  for (const there of byPath.values()) there.sort(byReach)
  const inner = innerOf(byPath)
  return {
    readDeeper(collection, path, host) {
      const nested = inner.get(collection)
      if (nested === undefined) return null
      const parts = looseParts(path)
      for (const { collection: other, matches } of nested)
        if (answers(other, host) && matches(parts)) return other
      return null
    },
    find(path, host) {
      let end = prefixEnd(path, depthMax)
      while (end > 0) {
        const there = byPath.get(end === path.length ? path : path.slice(0, end))
        if (there !== undefined) {
          const collection = at(there, host)
          if (collection !== null) return collection
        }
        end = path.lastIndexOf('/', end - 1)
      }
      return null
    },
  }
}

/** Where the longest prefix of at most `depth` segments ends. */
function prefixEnd(path: string, depth: number): number {
  let end = 0
  for (let i = 0; i < depth; i++) {
    end = path.indexOf('/', end + 1)
    if (end === -1) return path.length
  }
  return end
}

function at(there: readonly LinkedCollection[], host: string): LinkedCollection | null {
  for (let i = 0; i < there.length; i++) {
    const collection = there[i]!
    if (answers(collection, host)) return collection
  }
  return null
}

function answers({ fragment: { hosts } }: LinkedCollection, host: string): boolean {
  return hosts.length === 0 || hosts.includes(hostName(host))
}

interface Nested {
  readonly collection: LinkedCollection
  readonly matches: (parts: readonly string[]) => boolean
}

/** Collections whose base path lies below that of another one, where case makes no difference; by that other one. */
function innerOf(byPath: ReadonlyMap<string, readonly LinkedCollection[]>) {
  const folded = new Map<string, LinkedCollection[]>()
  for (const [path, there] of byPath) {
    const lower = path.toLowerCase()
    const known = folded.get(lower)
    if (known === undefined) folded.set(lower, [...there])
    else known.push(...there)
  }
  const inner = new Map<LinkedCollection, Nested[]>()
  for (const [path, there] of folded)
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1))
      for (const outer of folded.get(path.slice(0, end)) ?? []) {
        const nested = there.map((collection) => ({ collection, matches: toLooseMatch(`${path}/*`) }))
        const known = inner.get(outer)
        if (known === undefined) inner.set(outer, nested)
        else known.push(...nested)
      }
  return inner
}

/** The name in an authority, without its port. */
export function hostName(host: string): string {
  const colon = host.lastIndexOf(':')
  return colon === -1 || host.endsWith(']') ? host : host.slice(0, colon)
}

function byReach(a: LinkedCollection, b: LinkedCollection): number {
  const anyHost = Number(a.fragment.hosts.length === 0) - Number(b.fragment.hosts.length === 0)
  return anyHost || (a.id < b.id ? -1 : 1)
}
