import { type Connections, createConnections } from '../../gateway/forward/connections.ts'
import type { ConnectionAnswer } from '../../model/connection.ts'
import type { FromGateway } from '../shared/messages.ts'

/** The main thread may have to refresh a token first, milliseconds. */
const ANSWER_MS = 30_000

/** Accounts at origins as a gateway thread gets them: the main thread keeps and refreshes the tokens. */
export interface ConnectionClient extends Connections {
  /** Takes the answer of the main thread to the question of that number. */
  answered(id: number, answer: ConnectionAnswer): void
}

/** @param ended connections that have ended, and grants; shared by all threads */
export function createConnectionClient(
  ended: { has(id: string, now: number): boolean; epoch(): number },
  clock: { now(): number },
  say: (message: FromGateway) => void,
): ConnectionClient {
  const waiting = new Map<number, (answer: ConnectionAnswer) => void>()
  let last = 0
  const connections = createConnections({
    clock,
    hasEnded: (connection) => ended.has(connection, clock.now()),
    epoch: () => ended.epoch(),
    ask(user, origin, refused) {
      const { promise, resolve } = Promise.withResolvers<ConnectionAnswer>()
      const id = ++last
      const end = (answer: ConnectionAnswer): void => {
        clearTimeout(timer)
        waiting.delete(id)
        resolve(answer)
      }
      const timer = setTimeout(() => end(LATE), ANSWER_MS).unref()
      waiting.set(id, end)
      say({ kind: 'connection', id, user, origin, refused })
      return promise
    },
  })
  return { ...connections, answered: (id, answer) => waiting.get(id)?.(answer) }
}

const LATE: ConnectionAnswer = {
  ok: false,
  code: 'credential_unavailable',
  reason: 'The token of the account did not come in time.',
  page: null,
}
