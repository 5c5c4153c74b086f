import type { CapabilityType } from './capability.ts'
import type { HttpMethod } from './http-method.ts'
import type { Parameter } from './proxy.ts'

/** Where an argument goes, and how it is written where that is not the default. */
export type ArgumentPlace = readonly [
  place: 'path' | 'query' | 'headers' | 'cookies',
  name: string,
  form?: Pick<Parameter, 'style' | 'explode' | 'content_type'>,
]

/** How a capability of an origin of kind `collection` is called: one endpoint with one method. */
export interface OfferedEndpoint {
  /** Id. */
  readonly proxy: string
  readonly method: HttpMethod
  /** Where arguments go in the request, by their names; the argument `body` is the body. */
  readonly places: Readonly<Record<string, ArgumentPlace>>
  readonly hasBody: boolean
  /** Media type of the body; absent for `application/json`. */
  readonly bodyType?: string
  /** What of the body is given as base64: all of it, or these fields of a form; absent for nothing. */
  readonly base64?: true | readonly string[]
}

/** The endpoints behind a catalogue, by type and by what the catalogue calls the item. */
export type OfferedEndpoints = Readonly<Record<CapabilityType, Readonly<Record<string, OfferedEndpoint>>>>
