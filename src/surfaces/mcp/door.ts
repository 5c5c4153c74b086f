import type { Principal } from '../../access/principal.ts'
import { DEFAULT_SCOPE } from '../../access/scopes.ts'
import { createChallenge } from '../../base/challenge.ts'
import type { Clock } from '../../base/clock.ts'
import { Lru } from '../../base/lru.ts'
import { isPlain } from '../../base/plain.ts'
import { Refusal, refuse, toProblem } from '../../base/refusal.ts'
import { PROTECTED } from '../../base/resources.ts'
import type { McpAnswer, McpRequest } from '../../mcp/protocol/answer.ts'
import type { Door, Tool, ToolCall, ToolOutcome } from '../../mcp/protocol/door.ts'
import { createMcpEndpoint } from '../../mcp/protocol/endpoint.ts'
import { createRebindingCheck } from '../../mcp/protocol/rebinding.ts'
import type { Tombstones } from '../../mcp/protocol/tombstones.ts'
import { type Invoke, type Invoked, type Operation, SHOWN_ONCE, type Via } from '../../operations/define.ts'
import { inputInvalid, splitArguments } from './arguments.ts'
import { type ManagementTool, OWN_ACTION, publishTool, toTools } from './tools.ts'

/** One HTTP request as a transport hands it over. Header names are asked for in lower case. */
interface ManagementRequest extends Omit<McpRequest, 'body'> {
  /** `/management/mcp` or its alias. */
  readonly path: string
  /** Without `?`. */
  readonly query: string
  readonly host: string
  readonly ip: string | null
  readonly requestId: string
  /** Reads the message of a principal, which is asked for once that is known: nobody's bytes are kept. May throw a Refusal. */
  readonly body: (principal: string) => Promise<Uint8Array>
}

export interface ManagementDoorOptions {
  readonly operations: readonly Operation[]
  readonly invoke: Invoke
  /** Throws a Refusal (401, 403, 429) when the credential proves nobody. */
  readonly authenticate: (credential: {
    readonly authorization: string | undefined
    readonly ip: string | null
  }) => Principal | Promise<Principal>
  /** Whether a principal may use an operation at all; tools are listed by it. */
  readonly allowed: (principal: Principal, operation: Operation) => boolean
  /** Whether secrets that are shown once may be shown to a model (`profiles:reveal`). */
  readonly reveals: (principal: Principal) => boolean
  /** 32 bytes that seal session ids. */
  readonly sealKey: Uint8Array
  readonly tombstones: Tombstones
  /** Public origin: `https://api.example.com`. */
  readonly origin: string
  readonly version: string
  readonly clock: Clock
  readonly fault: (error: unknown, requestId: string) => void
}

export interface ManagementDoor {
  handle(request: ManagementRequest): Promise<McpAnswer>
}

type View = 'grouped' | 'full'

interface ManagementCaller {
  readonly principal: Principal
  readonly view: View
  readonly request: ManagementRequest
}

const INSTRUCTIONS =
  'Administers the Postern gateway: collections, proxies, clients, profiles, policies, credentials, audit and request records. ' +
  'Writes take dry_run to see the difference first, expected_revision to avoid overwriting, reason for the audit, and confirm (the slug) for deletions. ' +
  'Refusals carry a code, a detail and errors with pointers.'

/** Milliseconds for which a caller may keep the list: its permissions may change. */
const TOOLS_TTL_MS = 60_000
/** Lists kept, one per view and set of permitted operations. */
const LISTS_MAX = 64

const WITHHELD =
  'Created, but not shown here: a model would keep it. Rotate over REST or the CLI to get a secret that only you see.'

/** The Management MCP door: the operation registry as tools, behind the same invoke as REST and the CLI. */
export function createManagementDoor(options: ManagementDoorOptions): ManagementDoor {
  const refuseRebinding = createRebindingCheck(options.origin)
  const challenge = createChallenge(options.origin, PROTECTED.mcp, DEFAULT_SCOPE)
  const endpoint = createMcpEndpoint(managementDoor(options), {
    sealKey: options.sealKey,
    clock: options.clock,
    tombstones: options.tombstones,
    fault: (error) => options.fault(error, ''),
  })

  async function answer(request: ManagementRequest): Promise<McpAnswer> {
    const rebinding = refuseRebinding(request.header('origin'), request.host)
    if (rebinding !== null) return rebinding
    const authorization = request.header('authorization')
    const principal = await options.authenticate({ authorization, ip: request.ip })
    const view = new URLSearchParams(request.query).get('view') === 'full' ? 'full' : 'grouped'
    const { method, header } = request
    const body = method === 'POST' ? await request.body(principal.id) : new Uint8Array()
    return new Promise((resolve) =>
      endpoint.answer({ principal, view, request }, { method, header, body }, resolve),
    )
  }

  return {
    async handle(request) {
      const { requestId } = request
      let given: McpAnswer
      try {
        given = await answer(request)
      } catch (error) {
        if (!(error instanceof Refusal)) options.fault(error, requestId)
        given = problemAnswer(asRefusal(error), request, challenge)
      }
      return { ...given, headers: { ...given.headers, 'x-request-id': requestId } }
    },
  }
}

function managementDoor(options: ManagementDoorOptions): Door<ManagementCaller> {
  const tools = toTools(options.operations)
  const lists = new Lru<string, readonly Tool[]>(LISTS_MAX)

  function listFor({ principal, view }: ManagementCaller): readonly Tool[] {
    const permitted = new Set(options.operations.filter((operation) => options.allowed(principal, operation)))
    const key = view + options.operations.map((operation) => (permitted.has(operation) ? 1 : 0)).join('')
    let list = lists.get(key)
    if (list === undefined) {
      list = tools[view].flatMap((tool) => {
        const allowed = tool.operations.filter((operation) => permitted.has(operation))
        return allowed.length === 0 ? [] : [publishTool(tool, allowed)]
      })
      lists.set(key, list)
    }
    return list
  }

  async function run(caller: ManagementCaller, tool: ManagementTool, call: ToolCall): Promise<ToolOutcome> {
    const { principal, request } = caller
    try {
      const { operation, given } = chooseOperation(tool, call.arguments)
      const via = viaOf(request, call)
      // Permission comes before the form of the input: invoke refuses and audits, whatever was sent.
      if (!options.allowed(principal, operation)) {
        await options.invoke(operation, {}, {}, principal, via)
        throw refuse('permission_denied', { detail: `This needs the permission ${operation.permission}.` })
      }
      const split = splitArguments(operation, given)
      const invoked = await options.invoke(operation, split.input, split.options, principal, via)
      return result(contentOf(operation, invoked, options.reveals(principal)), false)
    } catch (error) {
      if (!(error instanceof Refusal)) options.fault(error, request.requestId)
      return result(toProblem(asRefusal(error), request.requestId), true)
    }
  }

  return {
    name: 'management_mcp',
    info: { name: 'postern-management', title: 'Postern Management', version: options.version },
    instructions: INSTRUCTIONS,
    toolsTtlMs: TOOLS_TTL_MS,
    identityOf: ({ principal }) => principal.id,
    tools: listFor,
    call(caller, call, done) {
      const tool = tools.byName.get(call.name)
      if (tool === undefined) done(unknownTool(call.name, caller, listFor))
      else void run(caller, tool, call).then(done)
    },
  }
}

/** The operation that a call means: the tool's only one, or the one its `action` names. */
function chooseOperation(
  tool: ManagementTool,
  given: Readonly<Record<string, unknown>>,
): { operation: Operation; given: Readonly<Record<string, unknown>> } {
  if (tool.listed.length === 0) return { operation: tool.operations[0]!, given }
  const { action, ...rest } = given
  const operation = typeof action === 'string' ? tool.actions.get(action) : undefined
  if (operation === undefined)
    throw inputInvalid([{ pointer: '/action', reason: `must be one of ${tool.listed.join(', ')}` }])
  if (!Object.hasOwn(operation.input.shape, 'action')) return { operation, given: rest }
  const { [OWN_ACTION]: own, ...others } = rest
  return { operation, given: own === undefined ? others : { ...others, action: own } }
}

function viaOf(request: ManagementRequest, call: ToolCall): Via {
  const { agent, sessionId, conversationId } = call
  return {
    surface: 'management_mcp',
    requestId: request.requestId,
    ip: request.ip,
    userAgent: request.header('user-agent')?.slice(0, 512) ?? null,
    http: { method: request.method, url: request.path },
    agent: {
      name: agent.name || null,
      version: agent.version || null,
      sessionId: sessionId || null,
      conversationId: conversationId || null,
    },
  }
}

/** What REST answers, too; a secret that is shown once only for principals that may show it to a model. */
function contentOf(operation: Operation, invoked: Invoked, reveals: boolean): Record<string, unknown> {
  const { output, diff, pending } = invoked
  const content = operation.revealsOnce === true && !reveals ? withhold(output) : { ...output }
  if (diff !== null) return { dry_run: true, diff, result: content }
  return pending ? { ...content, pending: true } : content
}

/** The answer without secrets that are shown once, also those of the profiles that a new client came with. */
function withhold(output: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const content: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(output)) {
    if (SHOWN_ONCE.has(name) && typeof value === 'string') content['token_withheld'] = WITHHELD
    else if (name === 'profiles' && Array.isArray(value))
      content[name] = value.map((one: unknown) => (isPlain(one) ? withhold(one) : one))
    else content[name] = value
  }
  return content
}

function result(content: Readonly<Record<string, unknown>>, isError: boolean): ToolOutcome {
  return { kind: 'result', json: JSON.stringify(content), isError }
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
  if (refusal.status === 401) headers['www-authenticate'] = challenge(host, refusal.code)
  const retryAfterMs = refusal.facts.members?.['retry_after_ms']
  if (typeof retryAfterMs === 'number')
    headers['retry-after'] = String(Math.max(1, Math.ceil(retryAfterMs / 1000)))
  return { status: refusal.status, headers, body: JSON.stringify(toProblem(refusal, requestId)) }
}
