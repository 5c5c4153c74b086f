import { z } from 'zod'
import { isPlain, type Plain, pointerTo } from '../../base/json/storable.ts'
import type { FieldError } from '../../base/refusal.ts'
import type { JsonSchema } from '../../model/api/proxy.ts'
import { isAsApproved } from '../../model/mcp/capability-drift.ts'
import { Ref } from '../../model/members.ts'
import type { WorkflowNode } from '../../model/workflow/workflow.ts'
import { createSchemaJudges } from '../../snapshot/schema/judge.ts'
import { ASKING, type Known, type KnownOrigin, type NodeFault, type NodeType } from '../node-type.ts'

export const mcpCallNode: NodeType = {
  name: 'mcp_call_node',
  phase: 'call',
  summary: 'Calls a tool of an origin',
  config: z.strictObject({
    origin: Ref.describe('Origin, by id or slug'),
    tool: z.string().min(1).max(2048).describe('Name of the tool at the origin'),
    as: z
      .enum(['shared', 'user'])
      .default('shared')
      .describe(
        'Account at the origin. shared: one for all callers; user: the account of the calling person',
      ),
    pin: z
      .string()
      .regex(/^[\w-]{43}(\.([\w-]{43})?)?$/, 'a hash as get_origin_catalog shows it')
      .optional()
      .describe(
        'Hash of the tool as it was approved, with its metadata: the node fails if the origin changes the tool. A hash of 43 characters, from an earlier version, does not cover the metadata',
      ),
  }),
  inputs: { 'arguments?': 'object; none when absent or null' },
  outputs: { content: 'list', structured: 'object, or null', is_error: 'boolean' },
  handles: ASKING,
  faults,
}

function faults({ config, inputs }: WorkflowNode, known: Known): readonly NodeFault[] {
  const { origin: ref, tool: name, as = 'shared', pin } = config
  const origin = typeof ref === 'string' ? known.origin(ref) : null
  if (origin === null) return []
  return [...originFaults(origin, as), ...toolFaults(origin, name, pin, inputs['arguments'])]
}

function originFaults({ slug, kind, account }: KnownOrigin, as: unknown): readonly NodeFault[] {
  if (kind === 'collection') {
    const message = `the tools of the origin "${slug}" are endpoints of a collection; call those by a proxy_node`
    return [{ code: 'bad_config', path: ['config', 'origin'], message }]
  }
  if (as === account || (as !== 'shared' && as !== 'user')) return []
  const has =
    account === 'user'
      ? 'an account for each person; set as to user'
      : 'one account for all callers; set as to shared'
  return [{ code: 'bad_config', path: ['config', 'as'], message: `the origin "${slug}" has ${has}` }]
}

function toolFaults(
  { slug, kind, tools }: KnownOrigin,
  name: unknown,
  pin: unknown,
  given: unknown,
): readonly NodeFault[] {
  if (kind === 'collection' || tools === null || typeof name !== 'string') return []
  const at = (message: string, path: NodeFault['path'], code: NodeFault['code']): NodeFault => ({
    code,
    path,
    message,
  })
  const tool = tools.get(name)
  if (tool === undefined)
    return [at(`the origin "${slug}" has no tool "${name}"`, ['config', 'tool'], 'unknown_reference')]
  const faults: NodeFault[] = []
  if (typeof pin === 'string' && !isAsApproved(pin, tool.hash))
    faults.push(
      at(
        `the origin "${slug}" has changed the tool "${name}" since it was pinned: its hash is ${tool.hash} now`,
        ['config', 'pin'],
        'bad_config',
      ),
    )
  const { execution, inputSchema } = tool.item
  if (isRequired(execution))
    faults.push(
      at(`the tool "${name}" runs as a task, which nodes cannot wait for`, ['config', 'tool'], 'bad_config'),
    )
  for (const { pointer, reason } of argumentFaults(inputSchema, given))
    faults.push(at(`arguments${pointer} ${reason}`, ['inputs', 'arguments'], 'bad_input'))
  return faults
}

/** 2025-11-25, server/tools: the tool can be called as a task alone. */
function isRequired(execution: unknown): boolean {
  return (execution as { readonly taskSupport?: unknown } | null | undefined)?.taskSupport === 'required'
}

// Checks the arguments of a tool that are the same in every run against its input schema.

const DEPTH_MAX = 32
/** Members of a schema that its parts may point into. */
const SHARED = ['$schema', '$defs', 'definitions'] as const

/**
 * Faults of arguments that are known before a run: missing and unknown names, and values without expressions that do not fit.
 * @param schema input schema of the tool as its origin lists it; one that cannot be used finds nothing
 * @param given with expressions in texts; undefined for none
 */
function argumentFaults(schema: unknown, given: unknown): readonly FieldError[] {
  const value = given ?? {}
  if (typeof value === 'string' && value.includes('{{')) return []
  if (!isPlain(value)) return [{ pointer: '', reason: 'must be an object' }]
  if (!isPlain(schema)) return []
  if (!isComputed(value)) return judged(schema, value)
  const { required, properties, additionalProperties, patternProperties } = schema
  const known = isPlain(properties) ? properties : {}
  const missing = (Array.isArray(required) ? required : []).filter(
    (name): name is string => typeof name === 'string' && !Object.hasOwn(value, name),
  )
  const isClosed = additionalProperties === false && patternProperties === undefined
  return [
    ...missing.map((name) => ({ pointer: pointerTo('', name), reason: 'is required' })),
    ...Object.entries(value).flatMap(([name, member]): readonly FieldError[] => {
      if (!Object.hasOwn(known, name))
        return isClosed ? [{ pointer: pointerTo('', name), reason: 'is no argument of the tool' }] : []
      return isComputed(member) ? [] : memberFaults(schema, known[name], name, member)
    }),
  ]
}

function memberFaults(schema: Plain, part: unknown, name: string, value: unknown): readonly FieldError[] {
  const shared = SHARED.filter((member) => Object.hasOwn(schema, member)).map((member) => [
    member,
    schema[member],
  ])
  return judged({ ...Object.fromEntries(shared), properties: { [name]: part } }, { [name]: value })
}

function judged(schema: Plain, value: Plain): readonly FieldError[] {
  try {
    return createSchemaJudges({}, true).of(schema as JsonSchema, 'request')(value) ?? []
  } catch {
    // It comes from a server, and is judged again in each run
    return []
  }
}

/** True for a value with an expression in it. */
function isComputed(value: unknown, depth = 0): boolean {
  if (typeof value === 'string') return value.includes('{{')
  if (value === null || typeof value !== 'object') return false
  if (depth > DEPTH_MAX) return true
  return Object.values(value).some((member) => isComputed(member, depth + 1))
}
