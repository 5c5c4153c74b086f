import { type Ruled, toCover } from '../../snapshot/find/endpoint-rules.ts'
import { methodBits } from '../../snapshot/find/methods.ts'
import type { Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Warning } from '../engine/kind.ts'

/**
 * Rules of a profile that cover nothing today, drafts counted in. They are no errors: `DELETE /*` may be denied before
 * there is anything to delete, and endpoints come and go. But a deny with a typing error denies nothing, so it is told.
 */
export async function uncovered(
  profile: Resource<'profiles'>,
  context: OperationContext,
): Promise<Warning[]> {
  const { allowed_methods, collections, endpoints } = profile.spec
  const client = await context.whole.byId('clients', profile.parent!)
  const assigned = client?.spec.collections ?? []
  const warnings: Warning[] = []
  for (const [index, id] of (collections ?? []).entries())
    if (!assigned.includes(id))
      warnings.push({
        pointer: `/collections/${index}`,
        reason: 'the client has no access to the collection',
      })
  const entries = [...endpoints.allow, ...endpoints.deny]
  if (entries.length === 0 && allowed_methods.length === 0) return warnings

  const left = assigned.filter((id) => collections === null || collections.includes(id))
  const reached = await reachedOf(left, context)
  if (reached === null) return warnings
  for (const list of ['allow', 'deny'] as const)
    for (const [index, entry] of endpoints[list].entries()) {
      const covers = toCover(entry)
      if (!reached.some(({ collection, proxy }) => covers(collection, proxy)))
        warnings.push({
          pointer: `/endpoints/${list}/${index}`,
          reason: `covers no endpoint that the client has access to, so it ${list === 'allow' ? 'allows' : 'denies'} nothing`,
        })
    }
  const methods = methodBits(allowed_methods)
  if (allowed_methods.length > 0 && !reached.some(({ proxy }) => (proxy.methods & methods) !== 0))
    warnings.push({
      pointer: '/allowed_methods',
      reason:
        'no endpoint that the client has access to answers any of these, so the profile can call nothing',
    })
  return warnings
}

interface Reached {
  readonly collection: { readonly fragment: { readonly slug: string } }
  readonly proxy: Ruled
}

/** Null when some of them are beyond what the principal sees: a warning would tell which there are. */
async function reachedOf(
  collections: readonly string[],
  context: OperationContext,
): Promise<Reached[] | null> {
  const reached: Reached[] = []
  for (const id of collections) {
    const collection = await context.whole.byId('collections', id)
    if (collection === undefined) continue
    const owner = { fragment: { slug: collection.slug } }
    const proxies = await context.whole.all('proxies', id)
    if ((await context.reader.all('proxies', id)).length < proxies.length) return null
    for (const { id: proxyId, slug, spec } of proxies) {
      const { methods, path, tags } = spec
      reached.push({
        collection: owner,
        proxy: {
          id: proxyId,
          fragment: { slug, tags },
          methods: methodBits(methods),
          route: String(collection.spec['base_path']) + (path === '/' ? '' : path),
        },
      })
    }
  }
  return reached
}
