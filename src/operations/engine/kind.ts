import { z } from 'zod'
import type { ResourceType } from '../../model/resource-types.ts'
import type { SpecOf } from '../../model/specs.ts'
import type { Fields, ResourceWith } from '../../store/ports/resource.ts'
import type { OperationContext } from './context.ts'
import type { KindSchemaWith } from './kind-schema.ts'

/**
 * A kind of resource: from it follow its list, get, create, update, put and delete. What takes a spec is written as a method, so that the
 * kind of one type is a kind of any: it is asked about specs of its own type alone.
 */
export type Kind<T extends ResourceType = ResourceType> = KindWith<T, SpecOf<T>>

interface KindWith<T extends ResourceType, Spec> extends KindSchemaWith<T, Spec> {
  /** What get and list show beside it, since it depends on the moment: members of `view`, by id. */
  current?(
    resources: readonly ResourceWith<T, Spec>[],
    context: OperationContext,
  ): Promise<ReadonlyMap<string, Fields>>
  /** URLs in a spec that Postern asks, or sends requests to, by their JSON pointers: the egress rule judges them. */
  asks?(spec: Spec): readonly AskedUrl[]
  /** Rules beyond the schema, run before it is stored; references are ids. Refuses. */
  check?(spec: Spec, self: Self, context: OperationContext): Promise<void>
  /** What else is written in the transaction in which it is stored; null before for what is new. */
  stored?(
    resource: ResourceWith<T, Spec>,
    before: ResourceWith<T, Spec> | null,
    context: OperationContext,
  ): Promise<void>
  /** What the writer should know of what was stored, though it is allowed. */
  warn?(resource: ResourceWith<T, Spec>, context: OperationContext): Promise<readonly Warning[]>
}

/** A URL that an administrator has written. */
interface AskedUrl {
  /** Of the URL, within the spec. */
  readonly pointer: string
  /** Null for a member that is not set. */
  readonly url: string | null | undefined
}

/** The resource that a spec is for. */
export interface Self {
  readonly id: string
  readonly parent: string | null
}

/** `pointer` is a JSON pointer into the spec. */
export const Warning = z.object({ pointer: z.string(), reason: z.string() })
export type Warning = z.infer<typeof Warning>

/** What a write of the kind answers: the view, with warnings where there are some. */
export function writtenSchema(kind: Kind): z.ZodObject {
  return kind.warn === undefined ? kind.view : kind.view.extend({ warnings: z.array(Warning).optional() })
}
