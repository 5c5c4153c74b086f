import type { CapabilityType } from './capability.ts'
import type { HttpMethod } from './http-method.ts'

/** How a capability of an origin of kind `collection` is called: one endpoint with one method. */
export interface OfferedEndpoint {
  /** Id. */
  readonly proxy: string
  readonly method: HttpMethod
  /** Where arguments go in the request, by their names; the argument `body` is the body. */
  readonly places: Readonly<Record<string, readonly [place: 'path' | 'query' | 'headers', name: string]>>
  readonly hasBody: boolean
  /** Media type of the body; absent for JSON. */
  readonly bodyType?: string
}

/** The endpoints behind a catalogue, by type and by what the catalogue calls the item. */
export type OfferedEndpoints = Readonly<Record<CapabilityType, Readonly<Record<string, OfferedEndpoint>>>>
