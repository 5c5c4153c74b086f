import { z } from 'zod'
import { inWords, Ref, Status } from '../model/common.ts'
import type { Fields, Resource } from '../store/ports/config.ts'
import type { OperationContext } from './context.ts'
import { about, CHANGE_REFUSES } from './crud.ts'
import { define, type Operation } from './define.ts'
import { forgetHeaders } from './header-secrets.ts'
import { type Kind, writtenSchema } from './kind.ts'
import { writtenView } from './views.ts'
import { demandUse } from './write-resource.ts'

/**
 * Publishes a resource, making its pending draft live, or takes it back with status draft. `also` runs afterwards
 * in the same transaction.
 */
export function publishOf(
  kind: Kind,
  extra: z.ZodRawShape = {},
  also: (resource: Resource, input: Fields, context: OperationContext) => Promise<void> = async () => {},
): Operation {
  return define({
    resource: kind.type,
    action: 'publish',
    effect: 'act',
    tool: `toggle_${kind.noun}_status`,
    group: kind.group,
    summary: `Publish a ${inWords(kind.noun)} with its pending draft, or take it back to draft`,
    input: z.strictObject({
      id: Ref,
      status: Status.default('published').describe('The state it is to have'),
      ...extra,
    }) as z.ZodObject,
    output: writtenSchema(kind),
    permission: `${kind.type}:publish`,
    refuses: CHANGE_REFUSES,
    idempotent: true,
    columns: kind.columns,
    ...about(kind),
    handle: async (input: Fields, context) => {
      const resource = await context.change.act(kind.type, String(input['id']))
      await setStatus(kind, resource, input['status'] as Status, context)
      await also(resource, input, context)
      return writtenView(context, kind, (await context.whole.byId(kind.type, resource.id))!)
    },
  })
}

/** Publishes or takes back one resource; its rules are checked as for any other write. */
export async function setStatus(
  kind: Kind,
  resource: Resource,
  status: Status,
  context: OperationContext,
): Promise<Resource> {
  const live = status === 'published' && resource.draft !== null ? resource.draft : resource.spec
  const spec = { ...live, status }
  await demandUse(context, kind, spec, resource.id, [resource.spec])
  await kind.check?.(spec, { id: resource.id, parent: resource.parent }, context)
  const stored = await context.change.replace(resource, {
    spec,
    draft: status === 'published' ? null : resource.draft,
  })
  await forgetHeaders(context, resource, stored)
  return stored
}
