/** Finds the handler of a reserved path in the table of doors (`base/doors.ts`). */
import { doorAt, type Part, type ThreadHandler, withoutSlash } from '../../base/doors.ts'
import type { RefusalCode } from '../../base/refusal.ts'
import { MovedRequest } from '../../wire/moved-request.ts'
import type { Incoming } from '../../wire/port.ts'

/** The two listeners of a gateway thread, by the order in which it opens them. */
export const LISTENERS = { gateway: 0, control: 1 } as const

type Handler<State> = (incoming: Incoming<State>) => void

interface Handlers<State> extends Readonly<Record<ThreadHandler, Handler<State>>> {
  /** Hands a request to the control plane, over its private socket. */
  readonly control: Handler<State>
  /** Leads to the console. */
  readonly toConsole: Handler<State>
  /** Answers a problem. */
  readonly refuse: (incoming: Incoming<State>, code: RefusalCode, detail: string) => void
  /** Parts of the control plane that the gateway listener serves; the control listener serves all. */
  readonly expose: ReadonlySet<Part>
}

/**
 * Finds the handler of a reserved path in the table of doors. A slash at the end says nothing at MCP endpoints and management. A path without one gets 404 `not_available`. The root of the
 * control listener, which people type, leads to the console.
 */
export function createRouter<State>(handlers: Handlers<State>): Handler<State> {
  const { expose } = handlers
  return (asked) => {
    const bare = withoutSlash(asked.path)
    const { host, taken } = asked
    const incoming = bare === asked.path ? asked : new MovedRequest(asked, { path: bare, host, taken })
    const { path, listener, method } = incoming
    if (path === '/' && listener === LISTENERS.control && (method === 'GET' || method === 'HEAD'))
      return handlers.toConsole(incoming)
    const door = doorAt(path)
    if (
      door === null ||
      door.handler === null ||
      (door.listener !== 'both' && LISTENERS[door.listener] !== listener)
    )
      return handlers.refuse(incoming, 'not_available', `Nothing answers ${path} here.`)
    const { handler, part } = door
    if (part !== null && listener === LISTENERS.gateway && !expose.has(part))
      return handlers.refuse(
        incoming,
        'not_available',
        `The control listener serves ${path}. POSTERN_EXPOSE adds \`${part}\` to this listener.`,
      )
    switch (handler) {
      case 'consumer_mcp':
      case 'virtual_mcp':
      case 'console_mcp':
      case 'health':
      case 'metrics':
        return handlers[handler](incoming)
      case 'console':
      case 'management_mcp':
      case 'mcp_registry':
      case 'oauth':
      case 'rest':
      case 'secret_page':
      case 'sign_in_page':
      case 'unknown_path':
        return handlers.control(incoming)
      default:
        return handler satisfies never
    }
  }
}
