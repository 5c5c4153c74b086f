/** Compiles the optional features of a proxy: CORS, contract, cache, idempotency and more. */
import { toMs } from '../../base/clock.ts'
import type { CollectionSpec, Cors } from '../../model/api/collection.ts'
import { GraphqlLimits, type ProxySpec } from '../../model/api/proxy.ts'
import type { ContractFragment, CorsFragment, FeaturesFragment } from '../fragments.ts'

/** Cross-origin rules; ages become seconds. */
export function compileCors(cors: Cors): CorsFragment {
  const { origins, methods, headers, expose, credentials } = cors
  return { origins, methods, headers, expose, credentials, max_age_s: Math.floor(toMs(cors.max_age) / 1000) }
}

/** How requests are held to the contract; null where there is nothing to hold them to. */
export function compileContract(
  spec: ProxySpec,
  inherited: CollectionSpec['request_validation'],
): ContractFragment | null {
  // Specs stored by earlier versions lack the newer members.
  const { request_validation = 'inherit', strict_query = false } = spec
  const mode = request_validation === 'inherit' ? inherited : request_validation
  if (mode === 'off' || !hasContract(spec)) return null
  return { mode, strict_query }
}

function hasContract(spec: ProxySpec): boolean {
  return (
    spec.strict_query === true ||
    [spec, ...Object.values(spec.contracts ?? {})].some(
      ({ parameters, request_schema, request_schemas, request_types }) =>
        (parameters ?? []).some(isChecked) ||
        request_schema != null ||
        request_schemas != null ||
        (request_types ?? []).length > 0,
    )
  )
}

/** A path parameter that may be any text needs no look: it matched. */
function isChecked(parameter: ProxySpec['parameters'][number]): boolean {
  const { type, pattern, min, max } = parameter
  if (parameter.in !== 'path') return true
  return (
    type !== 'string' ||
    parameter.schema !== undefined ||
    pattern !== undefined ||
    parameter.enum !== undefined ||
    min !== undefined ||
    max !== undefined
  )
}

/** The optional features of a proxy; null when none is on. */
export function compileFeatures(spec: ProxySpec): FeaturesFragment | null {
  const { cache = null, idempotency = false, response_validation = 'off' } = spec
  const isGraphql = spec.kind === 'graphql'
  const isWebSocket = spec.kind === 'websocket'
  const gathers = spec.streaming === 'never'
  const judges =
    response_validation !== 'off' &&
    [spec, ...Object.values(spec.contracts ?? {})].some(({ response_schema }) => response_schema != null)
  if (cache === null && !idempotency && !judges && !isGraphql && !isWebSocket && !gathers) return null
  return {
    gathers,
    response_validation: judges ? response_validation : 'off',
    cache:
      cache === null
        ? null
        : {
            ttl_ms: toMs(cache.ttl),
            vary: cache.vary,
            scope: cache.scope,
            stale_if_error_ms: cache.stale_if_error === null ? 0 : toMs(cache.stale_if_error),
          },
    idempotency,
    graphql: isGraphql ? (spec.graphql ?? GraphqlLimits.parse({})) : null,
    ...(isWebSocket ? { websocket: true as const } : {}),
  }
}
