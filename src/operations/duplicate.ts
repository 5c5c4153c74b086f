import { refuse } from '../base/refusal.ts'
import { inWords } from '../model/common.ts'
import type { Fields, Resource } from '../store/ports/config.ts'
import type { OperationContext } from './context.ts'
import type { Kind } from './kind.ts'
import { getRef } from './refs.ts'
import { parseSpec } from './write-resource.ts'

/**
 * What is to be copied. Refuses with not_found, with permission_denied where the principal may name it and not read
 * it, or with revision_conflict.
 */
export async function sourceOf(kind: Kind, ref: string, context: OperationContext): Promise<Resource> {
  const original = await getRef(context.reader, kind.type, ref)
  await context.demand(`${kind.type}:read`, original)
  const expected = context.options.expectedRevision
  if (expected !== undefined && expected !== original.revision)
    throw refuse('revision_conflict', {
      detail: `${inWords(kind.noun)} "${original.slug}" is at revision ${original.revision}, not ${expected}.`,
      members: { revision: original.revision },
    })
  return original
}

const SUFFIX = ' (copy)'
const NAME_MAX = 120

/** The live version of a resource as the draft of another one; members that are undefined stay. */
export function draftOf(kind: Kind, original: Resource, members: Fields): Fields {
  const given = Object.entries(members).filter(([, value]) => value !== undefined)
  return parseSpec(kind.spec, {
    ...original.spec,
    name: original.name.slice(0, NAME_MAX - SUFFIX.length) + SUFFIX,
    ...Object.fromEntries(given),
    status: 'draft',
  })
}
