import type { Principal } from '../../access/principal.ts'
import type { Clock } from '../../base/clock.ts'
import { ALL_DOORS } from '../../base/doors.ts'
import {
  type AllowsOrigin,
  createChallenge,
  isChallenged,
  type Origins,
  PROTECTED,
} from '../../base/http/origins.ts'
import { parseStrictJson } from '../../base/json/scan.ts'
import { isPlain, type Plain } from '../../base/json/storable.ts'
import { Lru } from '../../base/memory/lru.ts'
import { Refusal, refuse, toProblem } from '../../base/refusal.ts'
import { visibleJson } from '../../base/text/visible.ts'
import { jsonAnswer, type McpAnswer } from '../../mcp/protocol/answer.ts'
import type { Completions, Prompts, Tool, ToolDoor } from '../../mcp/protocol/door.ts'
import { createMcpEndpoint } from '../../mcp/protocol/endpoint.ts'
import { createRebindingCheck } from '../../mcp/protocol/rebinding.ts'
import type { ToolCall, ToolOutcome } from '../../mcp/protocol/tool-call.ts'
import type { Operation } from '../../operations/engine/define.ts'
import type { Once, Tombstones } from '../../shared-state/ports/memory.ts'
import { notJson, parseObject } from '../rest/body.ts'
import { nameOf } from '../route.ts'
import { type ManagementCaller, type ManagementRequest, NOTHING_SAID, type View, viaOf } from './caller.ts'
import { confirmedBy, NOBODY } from './confirm.ts'
import { asksToDescribe, describe } from './describe.ts'
import { publishTools } from './list.ts'
import { PROMPT_TEXTS, type PromptText, RULES } from './prompt-texts.ts'
import { createResources, type DocPages } from './resources.ts'
import { meantBy, type RunPorts, runCall } from './run.ts'
import {
  actionOf,
  DESCRIBE,
  inputInvalid,
  type ManagementTool,
  type ManagementTools,
  toTools,
} from './tools.ts'

export interface ManagementDoorOptions extends RunPorts {
  readonly operations: readonly Operation[]
  /** Throws a Refusal (401, 403, 429) when the credential proves nobody. */
  readonly authenticate: (credential: {
    readonly authorization: string | undefined
    readonly ip: string | null
  }) => Principal | Promise<Principal>
  /** 32 bytes that seal session ids. */
  readonly sealKey: Uint8Array
  readonly tombstones: Tombstones
  /** Replies to questions that were used. */
  readonly usedReplies: Once
  /** Where it is reached, such as `https://api.example.com`. */
  readonly origins: Origins
  readonly allowsOrigin: AllowsOrigin
  /** What challenges ask for, space-separated; null where all tokens come from elsewhere, with scopes of their own. */
  readonly scope: string | null
  readonly version: string
  readonly docs: DocPages
  readonly clock: Clock
  readonly fault: (error: unknown, requestId: string) => void
}

export interface ManagementDoor {
  handle(request: ManagementRequest): Promise<McpAnswer>
  /** Ends calls that wait for a person. */
  close(): void
}

const INSTRUCTIONS =
  'Administers the Postern gateway: collections, proxies, clients, profiles, policies, credentials, audit and request records. ' +
  'Each manage_* and query_* tool takes an action, the id of a resource, and arguments. ' +
  'The action describe with the name of another action as id returns the schema of its arguments and an example. ' +
  'Writes take dry_run to see the difference first, expected_revision to avoid overwriting, reason for the audit, and confirm (the slug) for deletions. ' +
  'Errors have a code, a detail, and errors with pointers.'

/** Milliseconds for which a caller may keep lists: its permissions may change. */
const LIST_TTL_MS = 60_000
/** Lists kept, one per view and set of permitted operations. */
const LISTS_MAX = 64

/** The Management MCP door: the operation registry as tools, behind the same invoke as REST and the CLI. */
export function createManagementDoor(options: ManagementDoorOptions): ManagementDoor {
  const refuseRebinding = createRebindingCheck(options.origins, options.allowsOrigin)
  const challenges = new Map(
    ALL_DOORS.filter(({ handler }) => handler === 'management_mcp').map(({ path }) => [
      path,
      createChallenge(options.origins, path, options.scope),
    ]),
  )
  const tools = toTools(options.operations)
  const endpoint = createMcpEndpoint(managementDoor(options, tools), {
    sealKey: options.sealKey,
    clock: options.clock,
    tombstones: options.tombstones,
    usedReplies: options.usedReplies,
    fault: (error) => options.fault(error, ''),
  })

  async function answer(request: ManagementRequest): Promise<McpAnswer> {
    const rebinding = refuseRebinding(request.header('origin'), request.host)
    if (rebinding !== null) return rebinding
    const authorization = request.header('authorization')
    const principal = await options.authenticate({ authorization, ip: request.ip })
    const query = new URLSearchParams(request.query)
    const view = query.get('view') === 'full' ? 'full' : 'grouped'
    const asksPerson = query.get('confirm') === 'elicit'
    const { method, header } = request
    const body = method === 'POST' ? await request.body(principal.id) : new Uint8Array()
    const plain = method === 'POST' ? readPlainCall(header('content-type'), body) : null
    if (plain !== null) return answerPlainCall(options, tools, plain, principal, request)
    const caller: ManagementCaller = { principal, view, asksPerson, request, beyondScope: null }
    const given = await new Promise<McpAnswer>((resolve) =>
      endpoint.answer(caller, { method, header, body }, resolve),
    )
    // Of several messages the others have their answers
    if (caller.beyondScope === null || given.body.startsWith('[')) return given
    throw caller.beyondScope
  }

  return {
    close: () => endpoint.close(),
    async handle(request) {
      const { requestId } = request
      let given: McpAnswer
      try {
        given = await answer(request)
      } catch (error) {
        if (!(error instanceof Refusal)) options.fault(error, requestId)
        // Clients compare the resource with the URL that they were given
        const challenge = challenges.get(request.path) ?? challenges.get(PROTECTED.mcp)!
        given = problemAnswer(asRefusal(error), request, challenge)
      }
      return { ...given, headers: { ...given.headers, 'x-request-id': requestId } }
    },
  }
}

/** A call without JSON-RPC around it, answered by JSON and an HTTP status, with failures as problems. */
async function answerPlainCall(
  ports: RunPorts,
  tools: ManagementTools,
  call: PlainCall,
  principal: Principal,
  request: ManagementRequest,
): Promise<McpAnswer> {
  const tool = tools.byName.get(call.tool)
  if (tool === undefined) {
    const shown = tools.grouped.filter(({ operations }) =>
      operations.some((operation) => ports.allowed(principal, operation)),
    )
    const names = shown.map(({ name }) => name).join(', ')
    throw inputInvalid([{ pointer: '/tool', reason: `no such tool; there are: ${names || 'none'}` }])
  }
  const answered = (status: number, action: string, result: unknown, revision: number | null): McpAnswer => {
    const { requestId } = request
    const body = { ok: true, tool: call.tool, action, result, revision, request_id: requestId }
    return jsonAnswer(status, visibleJson(JSON.stringify(body)))
  }
  if (asksToDescribe(tool, call.arguments))
    return answered(200, DESCRIBE, describe(tool, call.arguments, mayUse(ports, principal)), null)
  const via = viaOf(request, NOTHING_SAID)
  const meant = await meantBy(ports, tool, call.arguments, principal, via)
  const { invoked, content } = await runCall(ports, meant, principal, via).catch((error: unknown) => {
    throw meant.explained(error)
  })
  return answered(invoked.status === 202 ? 202 : 200, meant.operation.action, content, invoked.revision)
}

/**
 * Whether a caller's lists hold an operation. What a broader token of the account would permit is listed too: calling it
 * is how a client comes to ask for such a token.
 */
function mayUse(
  { allowed }: Pick<RunPorts, 'allowed'>,
  principal: Principal,
): (operation: Operation) => boolean {
  const account =
    principal.scopes === undefined
      ? principal
      : { ...principal, grants: principal.unnarrowed ?? principal.grants }
  return (operation) => allowed(account, operation)
}

function managementDoor(options: ManagementDoorOptions, tools: ManagementTools): ToolDoor<ManagementCaller> {
  const lists = new Lru<string, readonly Tool[]>(LISTS_MAX)

  function listFor({ principal, view }: ManagementCaller): readonly Tool[] {
    const permitted = new Set(options.operations.filter(mayUse(options, principal)))
    const key = view + options.operations.map((operation) => (permitted.has(operation) ? 1 : 0)).join('')
    let list = lists.get(key)
    if (list === undefined) {
      list = publishTools(tools[view], (operation) => permitted.has(operation))
      lists.set(key, list)
    }
    return list
  }

  async function run(caller: ManagementCaller, tool: ManagementTool, call: ToolCall): Promise<ToolOutcome> {
    const { request } = caller
    let explained = (error: unknown): unknown => error
    try {
      if (asksToDescribe(tool, call.arguments))
        return result(describe(tool, call.arguments, mayUse(options, caller.principal)), false)
      // A person may take minutes to answer: what the caller proved before may no longer hold
      const principal =
        call.reply === null
          ? caller.principal
          : await options.authenticate({ authorization: request.header('authorization'), ip: request.ip })
      const via = viaOf(request, call)
      const meant = await meantBy(options, tool, call.arguments, principal, via)
      explained = meant.explained
      const person = caller.asksPerson ? call : NOBODY
      const confirmed = await confirmedBy(person, options.invoke, meant, principal, via)
      if ('question' in confirmed) return confirmed.question
      const { content } = await runCall(options, { ...meant, ...confirmed }, principal, via)
      return result(content, false)
    } catch (error) {
      if (!(error instanceof Refusal)) options.fault(error, request.requestId)
      const refusal = asRefusal(explained(error))
      if (refusal.code === 'insufficient_scope') caller.beyondScope = refusal
      return result(toProblem(refusal, request.requestId), true)
    }
  }

  return {
    name: 'management_mcp',
    info: { name: 'postern-management', title: 'Postern Management', version: options.version },
    instructions: INSTRUCTIONS,
    listTtlMs: LIST_TTL_MS,
    identityOf: ({ principal }) => principal.id,
    tools: listFor,
    prompts: createPrompts(options.operations, tools, options),
    resources: createResources(options.operations, options, options.docs),
    complete: createCompletions(options.operations, options, () =>
      options.docs.topics().map(({ topic }) => topic),
    ),
    call(caller, call, done) {
      const tool = tools.byName.get(call.name)
      if (tool === undefined) done(unknownTool(call.name, caller, listFor))
      else void run(caller, tool, call).then(done)
    },
  }
}

function result(content: Readonly<Record<string, unknown>>, isError: boolean): ToolOutcome {
  return { kind: 'result', json: visibleJson(JSON.stringify(content)), isError }
}

function unknownTool(
  name: string,
  caller: ManagementCaller,
  listFor: (caller: ManagementCaller) => readonly Tool[],
): ToolOutcome {
  const names = listFor(caller).map((tool) => tool.name)
  return {
    kind: 'invalid_params',
    message: `Unknown tool: ${name.slice(0, 128)}`,
    data: { pointer: '/params/name', reason: `must be one of ${names.join(', ')}` },
  }
}

/** Anything that is no refusal is a fault: callers learn nothing of it but the request id. */
function asRefusal(error: unknown): Refusal {
  return error instanceof Refusal ? error : refuse('internal_error')
}

function problemAnswer(
  refusal: Refusal,
  { requestId, host }: ManagementRequest,
  challenge: ReturnType<typeof createChallenge>,
): McpAnswer {
  const headers: Record<string, string> = {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
  }
  if (isChallenged(refusal))
    headers['www-authenticate'] = challenge(
      host,
      refusal.code,
      refusal.facts.members?.['scope'],
      refusal.message,
    )
  const retryAfterMs = refusal.facts.members?.['retry_after_ms']
  if (typeof retryAfterMs === 'number')
    headers['retry-after'] = String(Math.max(1, Math.ceil(retryAfterMs / 1000)))
  return { status: refusal.status, headers, body: visibleJson(JSON.stringify(toProblem(refusal, requestId))) }
}

/** A call in a body of its own, without JSON-RPC around it: what a line of a script sends. */
export interface PlainCall {
  readonly tool: string
  readonly arguments: Plain
}

/** Containers inside each other. */
const DEPTH_MAX = 100

/** JSON, nothing, or what curl says when nobody tells it otherwise. */
const CONTENT_TYPE = /^(application\/(json|x-www-form-urlencoded)[\t ]*(;.*)?)?$/i

/** What a JSON object begins with; a form of a browser does not. */
const OBJECT = /^\s*\{/

/**
 * The plain call in a body: a JSON object with `tool` and without `jsonrpc`. Null for anything else, which then is a
 * message, or none. Refuses with payload_rejected what two readers could read differently, and with input_invalid what is
 * said twice. Broken JSON that cannot be a message is refused with the place of the fault.
 */
export function readPlainCall(contentType: string | undefined, bytes: Uint8Array): PlainCall | null {
  if (!CONTENT_TYPE.test(contentType ?? '')) return null
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  // Spares messages a second reading. A name that is spelt with escapes makes no plain call.
  if (body.includes('"jsonrpc"') && !body.includes('"tool"')) return null
  const kind = kindOf(body)
  if (kind === 'other') return null
  if (kind === 'broken') {
    // The reader of messages answers in the form of JSON-RPC
    const mayBeMessage =
      /^application\/json/i.test(contentType ?? '') && (body.includes('jsonrpc') || !body.includes('tool'))
    if (mayBeMessage || !OBJECT.test(body.toString('latin1', 0, 64))) return null
    throw notJson(body.toString('utf8'))
  }
  if (parseStrictJson(body.toString('utf8'), DEPTH_MAX) === undefined)
    throw refuse('payload_rejected', {
      detail: `A member is named twice, or the body is nested deeper than ${DEPTH_MAX}.`,
    })
  const { tool, arguments: named = {}, ...beside } = parseObject(body)
  if (typeof tool !== 'string')
    throw inputInvalid([{ pointer: '/tool', reason: 'must be the name of a tool' }])
  if (!isPlain(named)) throw inputInvalid([{ pointer: '/arguments', reason: 'must be an object' }])
  if (Object.keys(named).length === 0) return { tool, arguments: beside }
  const isAlone = Object.keys(beside).length === 0
  return { tool, arguments: isAlone ? named : { ...beside, arguments: named } }
}

/** What a body is that names a tool somewhere: a call without JSON-RPC, text that is not JSON, or anything else. */
function kindOf(body: Buffer): 'call' | 'broken' | 'other' {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (error) {
    return error instanceof SyntaxError ? 'broken' : 'other'
  }
  return isPlain(value) && Object.hasOwn(value, 'tool') && !Object.hasOwn(value, 'jsonrpc') ? 'call' : 'other'
}

/** Slugs that complete an argument. */
const VALUES_MAX = 200

/** The prompts of those who may do their tasks, with the tools that they may use. */
function createPrompts(
  operations: readonly Operation[],
  tools: ManagementTools,
  { allowed }: Pick<RunPorts, 'allowed'>,
): Prompts<ManagementCaller> {
  const byName = new Map(operations.map((operation) => [nameOf(operation), operation]))
  const permitted = ({ principal }: ManagementCaller, name: string): Operation | undefined => {
    const operation = byName.get(name)
    return operation !== undefined && allowed(principal, operation) ? operation : undefined
  }

  function textOf(
    text: PromptText,
    caller: ManagementCaller,
    values: Readonly<Record<string, string>>,
  ): string {
    const steps = text.steps.flatMap((step) => {
      const usable = step.operations.flatMap((name) => permitted(caller, name) ?? [])
      return usable.length === 0 ? [] : [`${step.text(values)} (${toolsFor(tools, usable, caller.view)})`]
    })
    return [text.aim(values), RULES, ...steps.map((step, at) => `${at + 1}. ${step}`)].join('\n\n')
  }

  return {
    list: (caller) =>
      PROMPT_TEXTS.filter(({ needs }) => needs.every((name) => permitted(caller, name) !== undefined)).map(
        ({ name, title, description, arguments: given }) => ({
          name,
          title,
          description,
          arguments: given.map(({ of: _, ...argument }) => argument),
        }),
      ),
    get: async (caller, name, values) =>
      textOf(PROMPT_TEXTS.find((text) => text.name === name)!, caller, values),
  }
}

/** How the operations are called in the view that the caller lists. */
function toolsFor(tools: ManagementTools, operations: readonly Operation[], view: View): string {
  const calls = operations.map((operation) => {
    const tool = tools[view].find((one) => one.operations.includes(operation))
    // What is on no tool is for no model
    if (tool === undefined) throw new Error(`no tool does ${nameOf(operation)}`)
    return tool.listed.length === 0 ? tool.name : `${tool.name} with action ${actionOf(tool, operation)}`
  })
  return calls.join(', ')
}

/** Slugs of what an argument of a prompt names, as far as the caller may list it; topics of the docs. */
function createCompletions(
  operations: readonly Operation[],
  { invoke, allowed }: Pick<RunPorts, 'invoke' | 'allowed'>,
  topics: () => readonly string[],
): Completions<ManagementCaller> {
  return async (caller, of, argument, said) => {
    if (of === 'docs://{topic}') return topics()
    const type = PROMPT_TEXTS.find(({ name }) => name === of)?.arguments.find(
      ({ name }) => name === argument,
    )?.of
    const list = operations.find(({ resource, action }) => resource === type && action === 'list')
    if (list === undefined || !allowed(caller.principal, list)) return []
    const input = { limit: VALUES_MAX, fields: 'slug' }
    const { output } = await invoke(list, input, {}, caller.principal, viaOf(caller.request, said))
    // A page of a kind that has slugs, of which nothing else was asked for
    return (output['items'] as readonly { readonly slug: string }[]).map(({ slug }) => slug)
  }
}
