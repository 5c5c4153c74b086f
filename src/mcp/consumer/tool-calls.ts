/** The tools of the compact view over what the gateway lets the caller see. */
import type { Endpoint } from '../../gateway/port.ts'
import type { Sender } from '../http/message.ts'
import { parameterInvalid, refused } from '../http/outcome.ts'
import type { Tool } from '../protocol/door.ts'
import type { Members } from '../protocol/message.ts'
import type { RelayedRequest } from '../protocol/relay-port.ts'
import type { ToolOutcome } from '../protocol/tool-call.ts'
import { checkArguments, TOOL_ARGUMENTS, type ToolName } from './arguments.ts'
import type { Catalogue } from './catalogue.ts'
import { listCollections, listEndpoints } from './discover.ts'
import { execute } from './execute.ts'
import { inspect } from './inspect.ts'
import type { CallTools } from './run-call.ts'
import { listsSearch, searchEndpoints } from './search.ts'
import { createSearchIndexes } from './search-index.ts'
import { TOOLS, TOOLS_WITH_SEARCH } from './tools.ts'

/** Names that are understood though not listed. */
const ALIASES: Readonly<Record<string, ToolName>> = {
  endpoint_details: 'inspect_contract',
  execute_endpoint: 'execute_call',
}

export interface ConsumerTools {
  /** The same array for equal lists. */
  list(sender: Sender): readonly Tool[]
  /**
   * `done` is called once, now or later, with null for a call that was given up.
   * @param listed what an unknown name is answered with; null for the list of this view
   */
  call(
    sender: Sender,
    name: string,
    given: Members,
    request: RelayedRequest,
    listed: readonly Members[] | null,
    done: (outcome: ToolOutcome | null) => void,
  ): void
}

/** The tools of one gateway thread. */
export function createConsumerTools(
  tools: CallTools,
  catalogueOf: (endpoints: readonly Endpoint[]) => Catalogue,
): ConsumerTools {
  const { gateway } = tools
  const indexes = createSearchIndexes()

  function list({ caller }: Sender): readonly Tool[] {
    const { length } = gateway.endpoints(caller)
    return listsSearch(caller.profile.mcp_search, length) ? TOOLS_WITH_SEARCH : TOOLS
  }

  return {
    list,
    call(sender, name, given, request, listed, done) {
      const { caller, requestId } = sender
      const tool = toolOf(name)
      if (tool === null || (tool === 'search_endpoints' && caller.profile.mcp_search === 'off'))
        return done(
          unknownTool(
            name,
            (listed ?? list(sender)).map((one) => String(one['name'])),
          ),
        )
      const checked = checkArguments(tool, given)
      // An error result, which the model reads: protocol errors stay with its client (2025-11-25, server/tools: error handling)
      if (!checked.ok) return done(parameterInvalid(requestId, [checked.error], checked.example))
      const { values } = checked
      if (tool !== 'execute_call') {
        const waitMs = gateway.admitDiscovery(caller)
        if (waitMs > 0)
          return done(
            refused('rate_limit_exceeded', requestId, {
              detail: 'Too many discovery calls; keep what was listed and go on with execute_call.',
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

function unknownTool(name: string, names: readonly string[]): ToolOutcome {
  const more = names.length > NAMES_MAX ? ' and others of tools/list' : ''
  return {
    kind: 'invalid_params',
    message: `Unknown tool: ${name.slice(0, 128)}`,
    data: {
      pointer: '/params/name',
      reason: `must be one of ${names.slice(0, NAMES_MAX).join(', ')}${more}`,
      example: { name: 'list_collections', arguments: {} },
    },
  }
}
