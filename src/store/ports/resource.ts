import type { Status } from '../../model/envelope.ts'
import type { ResourceType } from '../../model/resource-types.ts'

export type Fields = Readonly<Record<string, unknown>>

/** A resource as it is stored. References inside `spec` and `draft` are ids; secrets are elsewhere. */
export interface Resource {
  readonly type: ResourceType
  readonly id: string
  readonly slug: string
  /** The collection of a proxy, the client of a profile. */
  readonly parent: string | null
  readonly name: string
  readonly status: Status | null
  /** What must be looked up fast to find a clash: base path of a collection, shape of the path of a proxy. */
  readonly key: string | null
  readonly revision: number
  readonly spec: Fields
  /** The pending version of a published resource. */
  readonly draft: Fields | null
  readonly created_at: string
  readonly created_by: string
  readonly updated_at: string
  readonly updated_by: string
  readonly managed_by: string | null
}
