import { unpackJson } from '../../base/json/canonical.ts'
import { pointerTo } from '../../base/json/storable.ts'
import { type FieldError, refuse } from '../../base/refusal.ts'
import { linearPattern } from '../../base/text/patterns.ts'
import type { JsonSchema, ProxySpec } from '../../model/api/proxy.ts'
import { createSchemaJudges } from '../../snapshot/schema/judge.ts'
import type { OperationContext } from '../engine/context.ts'

/**
 * Schemas that the importer made: it keeps only what can be used, and judging each of a thousand operations would hold
 * up the import for seconds.
 */
const imported = new WeakSet<object>()

/** Notes that the schemas of a spec come from the importer. */
export function fromImport(spec: Part): void {
  for (const [, schema] of schemasOf(spec))
    if (schema !== null && typeof schema === 'object') imported.add(schema)
}

/** Refuses a proxy whose contract cannot be used, or whose steps do not go together. */
export async function checkContract(spec: ProxySpec, context: OperationContext): Promise<void> {
  const errors = [...stepErrors(spec), ...patternErrors(spec), ...(await schemaErrors(spec, context))]
  if (errors.length === 0) return
  throw refuse('configuration_invalid', {
    detail: `${errors[0]!.pointer}: ${errors[0]!.reason}.`,
    errors,
  })
}

function stepErrors(spec: ProxySpec): FieldError[] {
  const errors: FieldError[] = []
  if (spec.streaming === 'always') {
    const step = wholeBodyStep(spec)
    if (step !== null)
      errors.push({
        pointer: '/streaming',
        reason: `always cannot be combined with ${step}, which needs whole bodies`,
      })
  }
  if (spec.kind === 'graphql') {
    const other = spec.methods.find((method) => method !== 'GET' && method !== 'POST')
    if (other !== undefined)
      errors.push({ pointer: '/methods', reason: `kind graphql allows only GET and POST, not ${other}` })
  } else if (spec.graphql !== null)
    errors.push({ pointer: '/graphql', reason: 'is for proxies of kind graphql' })
  if (spec.kind === 'websocket') {
    if (spec.methods.some((method) => method !== 'GET'))
      errors.push({ pointer: '/methods', reason: 'kind websocket allows only GET' })
    const step = spec.streaming === 'never' ? 'streaming never' : wholeBodyStep(spec)
    if (step !== null)
      errors.push({
        pointer: '/kind',
        reason: `kind websocket cannot be combined with ${step}: a tunnel has no bodies`,
      })
  }
  if (spec.cache !== null && !spec.methods.some((method) => method === 'GET' || method === 'HEAD'))
    errors.push({ pointer: '/cache', reason: 'needs GET or HEAD, but the proxy has neither' })
  for (const method of Object.keys(spec.contracts))
    if (!spec.methods.some((one) => one === method))
      errors.push({ pointer: `/contracts/${method}`, reason: 'the proxy does not answer this method' })
  return errors
}

function wholeBodyStep(spec: ProxySpec): string | null {
  if (spec.kind === 'graphql') return 'kind graphql'
  if (spec.cache !== null) return 'cache'
  if (spec.idempotency) return 'idempotency'
  if (spec.response_validation === 'enforce') return 'response_validation: enforce'
  const isLooked = spec.request_validation !== 'off'
  return isLooked &&
    contractsOf(spec).some(
      ([, { request_schema, request_schemas }]) => request_schema != null || request_schemas !== undefined,
    )
    ? 'request_schema (unless request_validation is off)'
    : null
}

type Part = Partial<Pick<ProxySpec, 'parameters' | 'request_schema' | 'request_schemas' | 'response_schema'>>

/** Every schema of a contract, with its place in it. */
function schemasOf(part: Part): (readonly [string, JsonSchema | null | undefined])[] {
  return [
    ['/request_schema', part.request_schema],
    ...Object.entries(part.request_schemas ?? {}).map(
      ([type, schema]) => [pointerTo('/request_schemas', type), schema] as const,
    ),
    ...(part.parameters ?? []).map(({ schema }, index) => [`/parameters/${index}/schema`, schema] as const),
    ['/response_schema', part.response_schema],
  ]
}

/** The contract and those of single methods, with their places. */
function contractsOf(spec: ProxySpec): (readonly [string, Part])[] {
  return [
    ['', spec] as const,
    ...Object.entries(spec.contracts).map(
      ([method, part]) => [`/contracts/${method}`, part as Part] as const,
    ),
  ]
}

function patternErrors(spec: ProxySpec): FieldError[] {
  const errors: FieldError[] = []
  for (const [place, { parameters }] of contractsOf(spec))
    for (const [index, { pattern }] of (parameters ?? []).entries())
      if (pattern !== undefined && linearPattern(pattern) === null)
        errors.push({
          pointer: `${place}/parameters/${index}/pattern`,
          reason: 'is broken, too large, or needs look-around or back references',
        })
  return errors
}

async function schemaErrors(spec: ProxySpec, context: OperationContext): Promise<FieldError[]> {
  const schemas = contractsOf(spec).flatMap(([place, part]) =>
    schemasOf(part).map(([member, schema]) => [place + member, schema] as const),
  )
  const toJudge = schemas.filter(
    ([, schema]) =>
      schema !== null && schema !== undefined && typeof schema === 'object' && !imported.has(schema),
  )
  if (toJudge.length === 0) return []
  const judges = createSchemaJudges(await sharedSchemas(spec, context), false)
  const errors: FieldError[] = []
  for (const [pointer, schema] of toJudge) {
    try {
      judges.of(schema!, pointer.endsWith('/response_schema') ? 'response' : 'request')
    } catch (error) {
      errors.push({
        pointer,
        reason: error instanceof Error ? error.message.slice(0, 500) : 'cannot be used',
      })
    }
  }
  return errors
}

/** Schemas by name that contracts of the collection share. */
export async function sharedSchemas(
  spec: Pick<ProxySpec, 'collection'>,
  context: OperationContext,
): Promise<Record<string, unknown>> {
  const collection = await context.whole.byId('collections', spec.collection)
  const hash = collection?.spec['schemas']
  const json = typeof hash === 'string' ? await context.whole.schema(hash) : undefined
  return json === undefined ? {} : (JSON.parse(unpackJson(json)) as Record<string, unknown>)
}
