import type { RefusalCode } from '../base/refusal.ts'
import { isReserved } from '../model/collection.ts'
import type { Handler, Incoming } from '../wire/port.ts'

/** The two listeners of a gateway thread, by the order in which it opens them. */
export const LISTENERS = { gateway: 0, control: 1 } as const

/** Parts of the control plane that a listener may hand out, and the reserved paths that belong to each. */
const PARTS: readonly { readonly part: string; readonly paths: readonly string[] }[] = [
  { part: 'management', paths: ['/management', '/api/v1/mcp'] },
  { part: 'oauth', paths: ['/.well-known'] },
]

export interface Routes<State> {
  /** Published APIs, with every check. */
  readonly gateway: Handler<State>
  /** `/mcp` */
  readonly consumer: (incoming: Incoming<State>) => void
  /** What the control plane serves, over its private socket. */
  readonly control: (incoming: Incoming<State>) => void
  /** `/healthz`, `/readyz` from the state of this thread. */
  readonly health: (incoming: Incoming<State>) => void
  /** Answers a problem. */
  readonly refuse: (incoming: Incoming<State>, code: RefusalCode, detail: string) => void
  /** Parts that the gateway listener hands to the control plane; the control listener hands out all. */
  readonly expose: ReadonlySet<string>
}

/**
 * Says who answers a request. Reserved paths are decided here, before any tenant's routes: on the gateway listener
 * the parts of `EXPOSE`, on the control listener all of them and no published API.
 */
export function createRouter<State>(routes: Routes<State>): (incoming: Incoming<State>) => void {
  return (incoming) => {
    const { path, listener } = incoming
    if (listener === LISTENERS.gateway && !isReserved(path)) return routes.gateway.request(incoming)
    if (path === '/healthz' || path === '/readyz') return routes.health(incoming)
    if (path === '/mcp' && listener === LISTENERS.gateway) return routes.consumer(incoming)
    const part = PARTS.find(({ paths }) => paths.some((own) => path === own || path.startsWith(`${own}/`)))
    if (part !== undefined && (listener === LISTENERS.control || routes.expose.has(part.part)))
      return routes.control(incoming)
    routes.refuse(incoming, 'not_available', `Nothing answers ${path} here.`)
  }
}
