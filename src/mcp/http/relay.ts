/**
 * Dispatches the methods of all MCP endpoints of the gateway: lists, listens, and all others. The server of a caller answers
 * them: a virtual MCP, or a view of the endpoints at `/mcp`.
 */
import type { CapabilityType } from '../../model/mcp/capability.ts'
import type { Relay, RelayedAnswer, RelayedRequest } from '../protocol/relay-port.ts'
import { INTERNAL, invalid, type Listed, listAnswer, unknownMethod } from './answers.ts'
import { messageId, type Sender } from './message.ts'

/** What the callers of one server are served. */
export interface Server {
  /** What the sender sees of a type, the same object for all that see the same; a refusal; or null where there is no such list. */
  list(sender: Sender, request: RelayedRequest, type: CapabilityType): Listed | RelayedAnswer | null
  /** Tells a client of 2026-07-28 of changes. */
  listen(sender: Sender, request: RelayedRequest, done: Done): void
  /** Answers any other method. False for one that is not there: then nothing was answered. */
  call(sender: Sender, request: RelayedRequest, done: Done): boolean
}

export type Done = (answer: RelayedAnswer) => void

interface RelayParts extends Pick<Relay<Sender>, 'about' | 'sessions'> {
  /** What serves the sender, now or later; or what is wrong with its request. */
  readonly serverOf: (sender: Sender) => Server | Promise<Server> | RelayedAnswer
  readonly fault: (error: unknown, requestId: string) => void
  /** Members that each result of 2026-07-28 has, see `resultOf`. */
  readonly meta?: string
}

/** The list that each method asks for, and the member of its result (2026-07-28, server). */
const LISTS: ReadonlyMap<string, readonly [type: CapabilityType, member: string]> = new Map([
  ['tools/list', ['tools', 'tools']],
  ['prompts/list', ['prompts', 'prompts']],
  ['resources/list', ['resources', 'resources']],
  ['resources/templates/list', ['resource_templates', 'resourceTemplates']],
])

/** The relay of one gateway thread. */
export function createRelay({ about, sessions, serverOf, fault, meta = '' }: RelayParts): Relay<Sender> {
  function dispatch(server: Server, sender: Sender, request: RelayedRequest, done: Done) {
    const { method, params, isModern } = request
    const list = LISTS.get(method)
    if (list !== undefined) {
      const [type, member] = list
      if (params['cursor'] !== undefined) return done(invalid('/params/cursor', 'Unknown cursor'))
      const seen = server.list(sender, request, type)
      if (seen === null) return done(unknownMethod(method))
      return done('kind' in seen ? seen : listAnswer(seen, member, isModern, meta))
    }
    if (method === 'subscriptions/listen' && isModern) return server.listen(sender, request, done)
    if (!server.call(sender, request, done)) done(unknownMethod(method))
  }

  return {
    about,
    sessions,
    answer(given, request, done) {
      const { place } = request.received
      const sender = place === 0 ? given : { ...given, requestId: messageId(given.requestId, place) }
      const failed = (error: unknown): void => {
        fault(error, sender.requestId)
        done(INTERNAL)
      }
      try {
        const server = serverOf(sender)
        if (server instanceof Promise)
          server.then((found) => dispatch(found, sender, request, done)).catch(failed)
        else if ('kind' in server) done(server)
        else dispatch(server, sender, request, done)
      } catch (error) {
        failed(error)
      }
    },
  }
}
