import type { z } from 'zod'
import { canonicalJson } from '../../base/json/canonical.ts'
import type { Parameter, ProxySpec } from '../../model/api/proxy.ts'

/** What a description says of the requests and answers of one operation. */
export type ImportedContract = Pick<
  z.input<typeof ProxySpec>,
  | 'request_schema'
  | 'request_schemas'
  | 'request_types'
  | 'request_required'
  | 'response_schema'
  | 'request_example'
  | 'response_example'
> & { parameters: z.input<typeof Parameter>[] }

/**
 * The contract of a route that several operations share: only what each of them asks, so that a call that is valid for one
 * of them is never refused for another. Texts and examples are those of the first.
 */
export function commonContract(
  first: ImportedContract,
  others: readonly ImportedContract[],
): ImportedContract {
  const all = [first, ...others]
  const types = all.map(({ request_types }) => request_types ?? [])
  const isSame = (member: 'request_schema' | 'request_schemas' | 'response_schema'): boolean =>
    others.every((other) => canonicalJson(other[member] ?? null) === canonicalJson(first[member] ?? null))
  const isSameBody = isSame('request_schema') && isSame('request_schemas')
  const { request_schemas, ...rest } = first
  return {
    ...rest,
    parameters: first.parameters.map((parameter) => commonParameter(parameter, others)),
    request_schema: isSameBody ? (first.request_schema ?? null) : null,
    ...(isSameBody && request_schemas !== undefined ? { request_schemas } : {}),
    // An operation without types takes any.
    request_types: types.every((some) => some.length > 0)
      ? [...new Set(types.flat())].slice(0, TYPES_MAX + 1)
      : [],
    request_required: all.every(({ request_required }) => request_required === true),
    response_schema: isSame('response_schema') ? (first.response_schema ?? null) : null,
  }
}

/** Media types of one proxy. */
const TYPES_MAX = 20

/** The parameter as every operation has it; one that they say differently may be anything. */
function commonParameter(
  parameter: z.input<typeof Parameter>,
  others: readonly ImportedContract[],
): z.input<typeof Parameter> {
  const judged = (one: z.input<typeof Parameter> | undefined): string => {
    const { description: _, name: __, ...rest } = one ?? { name: '', in: 'query' }
    return canonicalJson(rest)
  }
  const isSame = others.every((other) => judged(twinOf(parameter, other)) === judged(parameter))
  if (isSame) return parameter
  const { name, in: place, description } = parameter
  const isRequired = others.every((other) => twinOf(parameter, other)?.required === true)
  return {
    name,
    in: place,
    ...(description === undefined ? {} : { description }),
    ...(place === 'path' || (isRequired && parameter.required === true) ? { required: true } : {}),
    schema: true,
  }
}

/** The same parameter of another operation; in a path by its place, whatever it is called. */
function twinOf(
  parameter: z.input<typeof Parameter>,
  { parameters }: ImportedContract,
): z.input<typeof Parameter> | undefined {
  return parameters.find((one) => one.in === parameter.in && one.name === parameter.name)
}
