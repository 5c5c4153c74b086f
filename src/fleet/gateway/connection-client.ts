/** Asks the main thread for the accounts of people at origins, and remembers them until they end. */
import { createQuestions, type Questions } from '../../base/threads/in-line.ts'
import { type Connections, createConnections } from '../../gateway/forward/connections.ts'
import type { ConnectionAnswer } from '../../model/access/caller.ts'
import type { FromGateway } from '../shared/messages.ts'

/** The main thread may have to refresh a token first, milliseconds. */
const ANSWER_MS = 30_000

/** Accounts at origins as a gateway thread gets them: the main thread keeps and refreshes the tokens. */
export interface ConnectionClient extends Connections, Pick<Questions<ConnectionAnswer>, 'answered'> {}

/** @param ended connections that have ended, and grants; shared by all threads */
export function createConnectionClient(
  ended: { has(id: string, now: number): boolean; epoch(): number },
  clock: { now(): number },
  say: (message: FromGateway) => void,
): ConnectionClient {
  const questions = createQuestions<ConnectionAnswer>(() => LATE)
  const connections = createConnections({
    clock,
    hasEnded: (connection) => ended.has(connection, clock.now()),
    epoch: () => ended.epoch(),
    ask: (user, origin, refused) =>
      questions.ask(ANSWER_MS, (id) => say({ kind: 'connection', id, user, origin, refused })),
  })
  return { ...connections, answered: questions.answered }
}

const LATE: ConnectionAnswer = {
  ok: false,
  code: 'credential_unavailable',
  reason: 'The token of the account did not come in time.',
  page: null,
}
