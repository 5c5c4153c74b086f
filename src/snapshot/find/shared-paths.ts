import type { LinkedProxy } from '../linked/collection.ts'
import { methodBit } from './methods.ts'
import { matchesPath } from './precedence.ts'
import { asRead, type Segment, toSegments } from './segment.ts'

/**
 * Adds to each proxy the others whose route nothing in a path tells from its own: `/x/{id}` and `/x/{id}.{ext}` both take `/x/a.b`, and
 * only the server knows which of them is meant. Literal text with a letter or digit does tell them apart: `/x/{id}.json`.
 */
export function withSharedPaths(proxies: readonly LinkedProxy[]): readonly LinkedProxy[] {
  const all = proxies.map((proxy) => ({ proxy, segments: toSegments(proxy.fragment.path) }))
  const divided = all.filter(({ segments }) => segments.some(isDivided))
  if (divided.length === 0) return proxies
  return all.map(({ proxy, segments }) => {
    const near = segments.some(isDivided) ? all : divided
    const sharing = near.filter((other) => other.proxy !== proxy && isShared(segments, other.segments))
    return sharing.length === 0 ? proxy : { ...proxy, sharing: sharing.map((other) => other.proxy) }
  })
}

/** Those of the proxies that share their route with one, which also have a path below the base path and a method. */
export function sharingAt({ sharing }: LinkedProxy, below: string, method: string): readonly LinkedProxy[] {
  const bit = methodBit(method)
  return sharing.filter(
    (other) => (other.methods & bit) !== 0 && matchesPath(other.fragment.path, below === '' ? '/' : below),
  )
}

/** Several parameters, parted by nothing but punctuation. */
function isDivided(segment: Segment): boolean {
  return segment.names.length > 1 && isNameless(segment)
}

function isNameless({ kind, texts }: Segment): boolean {
  return kind === 'pattern' && !texts.some((text) => /[A-Za-z0-9]/.test(asRead(text)))
}

function isShared(as: readonly Segment[], bs: readonly Segment[]): boolean {
  if (as.length !== bs.length) return false
  let differs = false
  for (const [index, a] of as.entries()) {
    const b = bs[index]!
    if (a.kind === b.kind && asRead(a.shape) === asRead(b.shape)) continue
    if (!isNameless(a) || !isNameless(b) || !(isDivided(a) || isDivided(b))) return false
    differs = true
  }
  return differs
}
