import type { Endpoint } from '../../gateway/port.ts'
import { parameterInvalid, refused } from '../http/outcome.ts'
import type { ToolOutcome } from '../protocol/tool-call.ts'
import type { Catalogue } from './catalogue.ts'

/** Candidates that an ambiguous name lists. */
const CANDIDATES_MAX = 20

export type Resolved =
  | {
      readonly ok: true
      readonly endpoint: Endpoint
      /** Null when the endpoint has several and none was said. */
      readonly method: string | null
      readonly values: ReadonlyMap<string, string>
      readonly query: string
    }
  | { readonly ok: false; readonly outcome: ToolOutcome }

/** Finds the endpoint an agent means. What the caller may not call is not found, exactly like what does not exist. */
export function resolve(
  catalogue: Catalogue,
  ref: string,
  named: string | undefined,
  requestId: string,
): Resolved {
  const method = named?.toUpperCase()
  const found = catalogue.find(ref, method ?? null)
  if (found.kind === 'none')
    return {
      ok: false,
      outcome: refused('endpoint_not_found', requestId, {
        detail: `No endpoint "${ref.slice(0, 200)}" is visible to you. Use list_endpoints.`,
      }),
    }
  if (found.kind === 'several') return { ok: false, outcome: ambiguous(found.endpoints, requestId) }
  if (method !== undefined && found.method !== null && method !== found.method)
    return {
      ok: false,
      outcome: parameterInvalid(
        requestId,
        [{ pointer: '/method', reason: 'differs from the method that names the endpoint' }],
        { arguments: { endpoint: found.endpoint.proxy.id, method: found.method } },
      ),
    }
  const only = found.endpoint.methods.length === 1 ? found.endpoint.methods[0]! : null
  return {
    ok: true,
    endpoint: found.endpoint,
    method: method ?? found.method ?? only,
    values: found.values,
    query: found.query,
  }
}

function ambiguous(endpoints: readonly Endpoint[], requestId: string): ToolOutcome {
  const candidates = endpoints.slice(0, CANDIDATES_MAX).map(({ proxy, collection, methods, path }) => ({
    endpoint_id: proxy.id,
    name: proxy.name,
    collection: collection.slug,
    methods,
    path,
  }))
  return refused('endpoint_ambiguous', requestId, {
    detail: `${endpoints.length} endpoints fit. Name one by its endpoint_id.`,
    members: { candidates },
  })
}
