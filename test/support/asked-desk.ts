/** Questions to servers, by the desk of the thread that asks them, on the sockets of this process. */
import { createClock, createClockCell, moveClock } from '../../src/base/clock.ts'
import { createEgress, NO_LISTENER } from '../../src/base/net/egress.ts'
import { createDesk } from '../../src/services/desk.ts'
import type { ServiceResult, ServiceWork } from '../../src/services/port.ts'
import { createConnect } from '../../src/services/socket.ts'

export const PASSWORD = 'pass-of-hostile-6e02'

export function startDesk(work: ServiceWork) {
  const told = new Map<number, (result: ServiceResult) => void>()
  const clock = createClockCell()
  const desk = createDesk(createConnect(createEgress(NO_LISTENER)), createClock(clock), (id, result) =>
    told.get(id)?.(result),
  )
  let lastId = 0
  /** @param ca For TLS */
  function begin(port: number, ca: string | null = null) {
    const id = ++lastId
    const { promise, resolve } = Promise.withResolvers<ServiceResult>()
    told.set(id, resolve)
    const to = { host: '127.0.0.1', port, tls: ca !== null, ca }
    desk.take({ id, task: { holder: '', to, login: { username: 'app', password: PASSWORD }, work } })
    return { result: promise, giveUp: () => desk.take({ id, task: null }) }
  }
  return {
    begin,
    ask: (port: number, ca: string | null = null): Promise<ServiceResult> => begin(port, ca).result,
    /** Closes the connections on which nothing is asked. */
    close() {
      moveClock(clock, 31_000)
      desk.sweep()
    },
  }
}
