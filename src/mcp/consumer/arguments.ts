import { pointerTo } from '../../base/json/plain.ts'
import type { FieldError } from '../../base/refusal.ts'
import { CALL_REASON_CHARS_MAX } from '../../record/fields.ts'
import { isMembers, type Members } from '../protocol/message.ts'

type Kind = 'string' | 'strings' | 'integer' | 'object'

interface Rule {
  readonly kind: Kind
  readonly required?: boolean
  /** Characters, items or the value itself. */
  readonly min?: number
  readonly max: number
}

interface ToolArguments {
  readonly rules: Readonly<Record<string, Rule>>
  /** Other names that are understood but not listed. */
  readonly aliases: Readonly<Record<string, string>>
  readonly example: Members
}

const ENDPOINT: Rule = { kind: 'string', required: true, min: 1, max: 2048 }
const METHOD: Rule = { kind: 'string', min: 1, max: 16 }
const EXAMPLE_ENDPOINT = 'GET /orders/v1/orders/{id}'

export const TOOL_ARGUMENTS = {
  list_collections: { rules: {}, aliases: {}, example: {} },
  list_endpoints: {
    rules: {
      collection: { kind: 'string', min: 1, max: 256 },
      tags: { kind: 'strings', max: 20 },
      limit: { kind: 'integer', min: 1, max: 500 },
      cursor: { kind: 'string', min: 1, max: 4096 },
    },
    aliases: { collection_id: 'collection' },
    example: { collection: 'orders', limit: 50 },
  },
  search_endpoints: {
    rules: {
      query: { kind: 'string', required: true, min: 1, max: 500 },
      collection: { kind: 'string', min: 1, max: 256 },
      limit: { kind: 'integer', min: 1, max: 50 },
    },
    aliases: { collection_id: 'collection' },
    example: { query: 'refund a payment' },
  },
  inspect_contract: {
    rules: { endpoint: ENDPOINT, method: METHOD },
    aliases: { endpoint_id: 'endpoint' },
    example: { endpoint: EXAMPLE_ENDPOINT },
  },
  execute_call: {
    rules: {
      endpoint: ENDPOINT,
      params: { kind: 'object', max: 0 },
      method: METHOD,
      fields: { kind: 'strings', max: 64 },
      max_bytes: { kind: 'integer', min: 256, max: 1_048_576 },
      idempotency_key: { kind: 'string', min: 1, max: 255 },
      reason: { kind: 'string', max: CALL_REASON_CHARS_MAX },
    },
    aliases: { endpoint_id: 'endpoint' },
    example: { endpoint: EXAMPLE_ENDPOINT, params: { path: { id: '7' } } },
  },
} as const satisfies Record<string, ToolArguments>

export type ToolName = keyof typeof TOOL_ARGUMENTS

/** Longest item of a list of strings. */
const ITEM_CHARS_MAX = 256

type Checked =
  | { readonly ok: true; readonly values: ReadonlyMap<string, unknown> }
  /** `pointer` is into the arguments; `example` is a whole call. */
  | { readonly ok: false; readonly error: FieldError; readonly example: Members }

/** Checks arguments against the rules of the tool. Values are of the kind that the rule names; absent ones are absent. */
export function checkArguments(tool: ToolName, given: Members): Checked {
  const expected: ToolArguments = TOOL_ARGUMENTS[tool]
  const values = new Map<string, unknown>()
  for (const key of Object.keys(given)) {
    const value = given[key]
    const name = Object.hasOwn(expected.aliases, key) ? expected.aliases[key]! : key
    if (!Object.hasOwn(expected.rules, name))
      return wrong(
        tool,
        key,
        `no such argument; there are: ${Object.keys(expected.rules).join(', ') || 'none'}`,
      )
    if (values.has(name)) return wrong(tool, key, `${name} is given twice`)
    if (value === null || value === undefined) continue
    const fault = faultOf(expected.rules[name]!, value)
    if (fault !== null) return wrong(tool, key, fault)
    values.set(name, value)
  }
  for (const name of Object.keys(expected.rules))
    if (expected.rules[name]!.required === true && !values.has(name)) return wrong(tool, name, 'is required')
  return { ok: true, values }
}

function faultOf(rule: Rule, value: unknown): string | null {
  const { min = 0, max } = rule
  switch (rule.kind) {
    case 'string':
      return typeof value === 'string' && value.length >= min && value.length <= max
        ? null
        : `must be a string of ${min} to ${max} characters`
    case 'integer':
      return Number.isInteger(value) && Number(value) >= min && Number(value) <= max
        ? null
        : `must be an integer from ${min} to ${max}`
    case 'strings':
      return Array.isArray(value) &&
        value.length <= max &&
        value.every((item) => typeof item === 'string' && item.length <= ITEM_CHARS_MAX)
        ? null
        : `must be a list of at most ${max} strings`
    case 'object':
      return isMembers(value) ? null : 'must be an object'
  }
}

/** The refusal of arguments that break a rule: the place, and a call that would be right. */
function wrong(tool: ToolName, key: string, reason: string): Checked {
  return {
    ok: false,
    error: { pointer: pointerTo('', key.slice(0, 64)), reason },
    example: { name: tool, arguments: TOOL_ARGUMENTS[tool].example },
  }
}
