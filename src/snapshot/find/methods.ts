/** HTTP methods as bits. */
import { HTTP_METHODS } from '../../model/http-names.ts'
import type { HttpMethod } from '../../model/members.ts'
import type { LinkedProfile } from '../linked-types/client.ts'
import type { LinkedCollection, LinkedProxy } from '../linked-types/collection.ts'

/** Sets of HTTP methods as bits, so that lists are met with one `&`. */
const BITS = new Map<string, number>(HTTP_METHODS.map((method, index) => [method, 1 << index]))

export const ALL_METHODS = (1 << HTTP_METHODS.length) - 1
const GET = BITS.get('GET')!
const HEAD = BITS.get('HEAD')!

/** The bit of a method; 0 for one that the gateway does not know. */
export function methodBit(method: string): number {
  return BITS.get(method) ?? 0
}

/** Bits of a list; where GET is in it, HEAD is too (RFC 9110 9.3.2). */
export function methodBits(methods: readonly HttpMethod[]): number {
  let bits = 0
  for (const method of methods) bits |= BITS.get(method) ?? 0
  return (bits & GET) === 0 ? bits : bits | HEAD
}

/** Names of the bits, in the order of {@link HTTP_METHODS}. */
export function methodNames(bits: number): HttpMethod[] {
  return HTTP_METHODS.filter((method) => (bits & BITS.get(method)!) !== 0)
}

/** Methods of a proxy that a profile may use: what the checks `assignment` and `method` let through. 0 hides the endpoint. */
export function visibleMethods(
  profile: LinkedProfile,
  collection: LinkedCollection,
  proxy: LinkedProxy,
): number {
  const ruled = profile.endpoints === null ? ALL_METHODS : profile.endpoints(collection, proxy)
  return proxy.methods & profile.methods & ruled
}
