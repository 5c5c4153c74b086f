/**
 * The tools of the compact view, over the endpoints that the caller sees. `execute_call` calls an endpoint; the other tools
 * only read.
 */
import { withDigits } from '../../base/json/exact.ts'
import type { FieldError } from '../../base/refusal.ts'
import type { Endpoint } from '../../gateway/port.ts'
import { HTTP_METHODS } from '../../model/http-names.ts'
import { type DeclaredNames, flatNames, namesIn } from '../../snapshot/find/declared-names.ts'
import type { Contract } from '../../snapshot/fragments.ts'
import { answerOutcome } from '../endpoints/answer-outcome.ts'
import { type CallTools, callEndpoint } from '../endpoints/call.ts'
import { buildTarget, toldByContract } from '../endpoints/target.ts'
import type { Sender } from '../http/message.ts'
import type { Done } from '../http/relay.ts'
import { type Listed, listed, parameterInvalid, refused, type ToolResult, toolAnswer } from '../http/relay.ts'
import { RPC } from '../protocol/answer.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../protocol/relay-port.ts'
import { type Catalogue, createSearchIndexes, resolve } from './catalogue.ts'
import { listCollections, listEndpoints, listsSearch, searchEndpoints } from './discover.ts'
import { callExample, inspect } from './inspect.ts'
import { checkArguments, TOOL_ARGUMENTS, TOOLS, TOOLS_WITH_SEARCH, type ToolName } from './tools.ts'

const BYTES_DEFAULT = 64 * 1024

const METHODS: ReadonlySet<string> = new Set(HTTP_METHODS)
const NO_PARAMS: Members = Object.freeze({})
const NO_FIELDS: readonly string[] = []

const ARGUMENTS = {
  pointer: (place: string) => `/params${place}`,
  adviceOnWrong: 'inspect_contract shows the parameters and schemas of the endpoint.',
}

/** Names that are understood though not listed. */
const ALIASES: Readonly<Record<string, ToolName>> = {
  endpoint_details: 'inspect_contract',
  execute_endpoint: 'execute_call',
}

export interface EndpointTools {
  /** The same object for equal lists. */
  list(sender: Sender): Listed
  /** @param others what an unknown name is answered with; null for the list of these tools */
  call(
    sender: Sender,
    name: string,
    given: Members,
    request: RelayedRequest,
    others: readonly Members[] | null,
    done: Done,
  ): void
}

const LISTED = listed(TOOLS)
const LISTED_WITH_SEARCH = listed(TOOLS_WITH_SEARCH)

/** The tools of one gateway thread. */
export function createEndpointTools(
  tools: CallTools,
  catalogueOf: (endpoints: readonly Endpoint[]) => Catalogue,
): EndpointTools {
  const { gateway, meta } = tools
  const indexes = createSearchIndexes()

  function hasSearch({ caller }: Sender): boolean {
    return listsSearch(caller.profile.mcp_search, gateway.endpoints(caller).length)
  }

  return {
    list: (sender) => (hasSearch(sender) ? LISTED_WITH_SEARCH : LISTED),
    call(sender, name, given, request, others, answer) {
      const { caller, requestId } = sender
      const tool = toolOf(name)
      if (tool === null || (tool === 'search_endpoints' && caller.profile.mcp_search === 'off'))
        return answer(unknownTool(name, others ?? (hasSearch(sender) ? TOOLS_WITH_SEARCH : TOOLS)))
      const done = (outcome: ToolResult | null): void =>
        answer(outcome === null ? { kind: 'none' } : toolAnswer(request, outcome, meta))
      const checked = checkArguments(tool, given)
      // An error result, which the model reads: protocol errors stay with its client (2025-11-25, server/tools: error handling)
      if (!checked.ok) return done(parameterInvalid(requestId, [checked.error], checked.example))
      const { values } = checked
      if (tool !== 'execute_call') {
        const waitMs = gateway.admitDiscovery(caller)
        if (waitMs > 0)
          return done(
            refused('rate_limit_exceeded', requestId, {
              detail:
                'Too many discovery calls. Use the results that you already have, and call endpoints with execute_call.',
              members: { limit_name: 'discovery', retry_after_ms: waitMs },
            }),
          )
      }
      const catalogue = catalogueOf(gateway.endpoints(caller))
      switch (tool) {
        case 'execute_call':
          return execute(tools, catalogue, sender, values, request, done)
        case 'inspect_contract':
          return done(inspect(gateway, catalogue, sender, values))
        case 'search_endpoints':
          searchEndpoints(gateway, indexes, catalogue, values, requestId).then(done, (error: unknown) => {
            tools.fault(error, requestId)
            done(refused('internal_error', requestId, {}))
          })
          return
        case 'list_endpoints':
          return done(listEndpoints(gateway, catalogue, values, requestId))
        case 'list_collections':
          return done(listCollections(catalogue))
      }
    },
  }
}

function toolOf(name: string): ToolName | null {
  if (Object.hasOwn(TOOL_ARGUMENTS, name)) return name as ToolName // its own key, so one of the names
  return Object.hasOwn(ALIASES, name) ? ALIASES[name]! : null
}

/** Names that the answer to an unknown one repeats. */
const NAMES_MAX = 50

function unknownTool(name: string, listed: readonly { readonly name?: unknown }[]): RelayedAnswer {
  const more = listed.length > NAMES_MAX ? ' and others of tools/list' : ''
  const names = listed.slice(0, NAMES_MAX).map((one) => one.name)
  return {
    kind: 'error',
    code: RPC.invalidParams,
    message: `Unknown tool: ${name.slice(0, 128)}`,
    data: {
      pointer: '/params/name',
      reason: `must be one of ${names.join(', ')}${more}`,
      example: { name: 'list_collections', arguments: {} },
    },
  }
}

/**
 * Runs `execute_call`: finds the endpoint, builds the call, hands it to the stages, fits the answer into its bounds. `done` gets null
 * for a call that was given up.
 */
function execute(
  tools: CallTools,
  catalogue: Catalogue,
  sender: Sender,
  values: ReadonlyMap<string, unknown>,
  request: RelayedRequest,
  done: (outcome: ToolResult | null) => void,
): void {
  const { gateway } = tools
  const { requestId } = sender
  // The kinds were checked by the rules of the tool.
  const named = values.get('method') as string | undefined
  const resolved = resolve(catalogue, values.get('endpoint') as string, named, requestId)
  if (!resolved.ok) {
    done(resolved.outcome)
    return
  }
  const { endpoint, method } = resolved
  const example = (): Members => callExample(gateway, catalogue, endpoint, method)
  if (method === null || !METHODS.has(method)) {
    const reason = `must be one of ${endpoint.methods.join(', ')}`
    done(parameterInvalid(requestId, [{ pointer: '/method', reason }], example()))
    return
  }
  const built = buildTarget(
    catalogue.patternOf(endpoint),
    resolved.values,
    resolved.query,
    withDigits((values.get('params') as Members | undefined) ?? NO_PARAMS),
    toldByContract(() => gateway.contract(endpoint, method)),
    values.get('idempotency_key') as string | undefined,
  )
  if (!built.ok) {
    done(parameterInvalid(requestId, built.errors, example()))
    return
  }
  const { dropped, ...made } = built.built
  const misspelt = misspeltIn(gateway.contract(endpoint, method), values.get('params'))
  if (misspelt !== null) {
    done(parameterInvalid(requestId, [misspelt], example()))
    return
  }
  const bytesMax = (values.get('max_bytes') as number | undefined) ?? BYTES_DEFAULT
  const wanted = (values.get('fields') as string[] | undefined) ?? NO_FIELDS
  const reason = (values.get('reason') as string | undefined) ?? ''
  const { collection } = endpoint
  callEndpoint(
    tools,
    sender,
    request,
    { ...made, method, collection, name: request.received.tool, reason, through: undefined },
    (answer) => {
      const given = { ...ARGUMENTS, example }
      done(answer === null ? null : answerOutcome(answer, wanted, bytesMax, dropped, given))
    },
    () => done(refused('internal_error', requestId, {})),
  )
}

const queryNames = new WeakMap<Contract['parameters'], DeclaredNames>()

/** The first member of query or body that is another spelling of a name of the contract; null without one. */
function misspeltIn(found: ReturnType<CallTools['gateway']['contract']>, params: unknown): FieldError | null {
  if (found === null || !isMembers(params)) return null
  const { parameters, request_schema: schema } = found.contract
  let names = queryNames.get(parameters)
  if (names === undefined) {
    names = flatNames(parameters.flatMap(({ in: place, name }) => (place === 'query' ? [name] : [])))
    queryNames.set(parameters, names)
  }
  const query = names.fault(params['query'])
  if (query !== null) return { pointer: `/params/query${query.pointer}`, reason: query.reason }
  const body = namesIn(schema, found.schemas).fault(params['body'])
  return body && { pointer: `/params/body${body.pointer}`, reason: body.reason }
}
