import type { RefusalCode } from '../base/refusal.ts'
import type { Incoming } from '../wire/port.ts'

/** The two listeners of a gateway thread, by the order in which it opens them. */
export const LISTENERS = { gateway: 0, control: 1 } as const

/** Parts of the control plane that a listener may hand out, and the reserved paths that belong to each. */
const PARTS: readonly { readonly part: string; readonly paths: readonly string[] }[] = [
  { part: 'management', paths: ['/management', '/api/v1/mcp'] },
  { part: 'oauth', paths: ['/oauth', '/connect', '/.well-known'] },
]

export interface Doors<State> {
  /** `/mcp` */
  readonly consumer: (incoming: Incoming<State>) => void
  /** What the control plane serves, over its private socket. */
  readonly control: (incoming: Incoming<State>) => void
  /** `/healthz`, `/readyz` from the state of this thread. */
  readonly health: (incoming: Incoming<State>) => void
  /** `/metrics`, on the control listener alone. */
  readonly metrics: (incoming: Incoming<State>) => void
  /** Answers a problem. */
  readonly refuse: (incoming: Incoming<State>, code: RefusalCode, detail: string) => void
  /** Parts that the gateway listener hands to the control plane; the control listener hands out all. */
  readonly expose: ReadonlySet<string>
}

/**
 * Says which door answers a reserved path. On the gateway listener: `/mcp` and the parts of `EXPOSE`; on the control
 * listener all parts, and no published API.
 */
export function createRouter<State>(doors: Doors<State>): (incoming: Incoming<State>) => void {
  return (incoming) => {
    const { path, listener } = incoming
    if (path === '/healthz' || path === '/readyz') return doors.health(incoming)
    if (path === '/metrics' && listener === LISTENERS.control) return doors.metrics(incoming)
    if (path === '/mcp' && listener === LISTENERS.gateway) return doors.consumer(incoming)
    const part = PARTS.find(({ paths }) => paths.some((own) => path === own || path.startsWith(`${own}/`)))
    if (part !== undefined && (listener === LISTENERS.control || doors.expose.has(part.part)))
      return doors.control(incoming)
    const detail =
      part === undefined
        ? `Nothing answers ${path} here.`
        : `The control listener serves ${path}. POSTERN_EXPOSE adds \`${part.part}\` to this listener.`
    doors.refuse(incoming, 'not_available', detail)
  }
}
