/**
 * The three tools of a virtual MCP in the compact view. `search_tools` and `describe_tool` use the lists of the caller.
 * `call_tool` is replaced by the call of the tool that it names before any other step, so both calls are treated alike.
 * Clients can also call the tools by their own names.
 */
import type { FieldError } from '../../base/refusal.ts'
import type { GatewayPort } from '../../gateway/port.ts'
import type { Caller, Capabilities, VisibleList } from '../../snapshot/find/capability-caller.ts'
import {
  COMPACT_TOOLS,
  type CompactView,
  compactView,
  SEARCH_LIMIT,
} from '../../snapshot/find/compact-view.ts'
import type { Sender } from '../http/message.ts'
import { type Done, given, parameterInvalid, refused, type ToolResult, toolAnswer } from '../http/relay.ts'
import { isMembers, type Members } from '../protocol/message.ts'
import type { RelayedAnswer, RelayedRequest } from '../protocol/relay-port.ts'

/** A call that goes on under the name of the tool that it is about. */
interface Opened {
  readonly request: RelayedRequest
  readonly done: Done
}

export interface CompactTools {
  /** The list in the compact view. */
  list(seen: VisibleList): CompactView
  /**
   * What a `tools/call` is about.
   * @param tooMany the refusal of a look at the list; null where the caller may look. @returns null for a call that was answered
   */
  open(
    sender: Sender,
    request: RelayedRequest,
    tooMany: () => RelayedAnswer | null,
    done: Done,
  ): Opened | null
}

/** A right call of each of the three. */
const EXAMPLES: ReadonlyMap<unknown, Members> = new Map([
  [COMPACT_TOOLS.search, { query: 'create issue', limit: 5 }],
  [COMPACT_TOOLS.describe, { name: 'create_issue' }],
  [COMPACT_TOOLS.call, { name: 'create_issue', arguments: { title: 'It does not start' } }],
])
const NAME_CHARS_SHOWN = 128

/** @param originOf name of the origin with an id */
export function createCompactTools(
  gateway: Pick<GatewayPort, 'policySubject'>,
  capabilities: Capabilities,
  originOf: (member: string) => string,
): CompactTools {
  /** Goes with the list, of which there are few; see invariant 5 of capabilities. */
  const views = new WeakMap<VisibleList, CompactView>()

  function list(seen: VisibleList): CompactView {
    let view = views.get(seen)
    if (view === undefined) {
      view = compactView(seen, originOf)
      views.set(seen, view)
    }
    return view
  }

  function search({ query, limit }: Members, caller: Caller, own: Capabilities): ToolResult {
    const view = list(own.visible(caller, 'tools'))
    // Checked before
    const found = view.search(query as string, (limit as number | undefined) ?? SEARCH_LIMIT.default)
    const hint = found.total === 0 ? { hint: 'No tool has these words. Try others, or an empty query.' } : {}
    return given({ ...found, ...hint })
  }

  function describe({ name }: Members, caller: Caller, own: Capabilities, requestId: string): ToolResult {
    // Checked before
    const asked = name as string
    const found = own.find(caller, 'tools', asked)
    if (found !== null) return given(found.shown)
    const shown = asked.slice(0, NAME_CHARS_SHOWN)
    return refused('not_found', requestId, { detail: `Unknown tool: ${shown}. search_tools finds names.` })
  }

  return {
    list,
    open(sender, request, tooMany, done) {
      const { params } = request
      const { name, arguments: arguments_ = {} } = params
      const example = EXAMPLES.get(name)
      if (example === undefined || !isMembers(arguments_)) return { request, done }
      const answer = (answered: RelayedAnswer): null => {
        done(answered)
        return null
      }
      const { caller, requestId } = sender
      const errors = errorsOf(name, arguments_)
      if (errors.length > 0) return answer(toolAnswer(request, parameterInvalid(requestId, errors, example)))
      if (name === COMPACT_TOOLS.call) return { request: called(request, arguments_), done: within(done) }
      const refusal = tooMany()
      if (refusal !== null) return answer(refusal)
      const subject = gateway.policySubject(caller)
      const own = request.isModern ? capabilities : capabilities.legacy
      const outcome =
        name === COMPACT_TOOLS.search
          ? search(arguments_, subject, own)
          : describe(arguments_, subject, own, requestId)
      return answer(toolAnswer(request, outcome))
    },
  }
}

/** What is wrong with the arguments of one of the three tools. */
function errorsOf(tool: unknown, { query, limit, name, arguments: inner }: Members): readonly FieldError[] {
  const errors: FieldError[] = []
  if (tool === COMPACT_TOOLS.search) {
    if (typeof query !== 'string') errors.push({ pointer: '/query', reason: 'must be a string' })
    const { max } = SEARCH_LIMIT
    if (limit !== undefined && !(Number.isInteger(limit) && Number(limit) >= 1 && Number(limit) <= max))
      errors.push({ pointer: '/limit', reason: `must be an integer from 1 to ${max}` })
    return errors
  }
  if (typeof name !== 'string') errors.push({ pointer: '/name', reason: 'must be a string' })
  if (tool === COMPACT_TOOLS.call && inner !== undefined && !isMembers(inner))
    errors.push({ pointer: '/arguments', reason: 'must be an object' })
  return errors
}

/** The call of the tool itself: all else that the client says stays, such as its progress token and its answers. */
function called(request: RelayedRequest, { name, arguments: inner }: Members): RelayedRequest {
  const { arguments: _, ...rest } = request.params
  const params = { ...rest, name, ...(inner === undefined ? {} : { arguments: inner }) }
  // A client repeats in headers what the tool that it calls by name wants there, which is call_tool
  return { ...request, params, mirrored: null }
}

/** Pointers of errors are into the message that the client has sent. */
function within(done: Done): Done {
  return (answer) => {
    const data = answer.kind === 'error' && isMembers(answer.data) ? answer.data : null
    const pointer = data?.['pointer']
    if (answer.kind !== 'error' || typeof pointer !== 'string' || !pointer.startsWith('/params/'))
      return done(answer)
    done({ ...answer, data: { ...data, pointer: `/params/arguments${pointer.slice('/params'.length)}` } })
  }
}
