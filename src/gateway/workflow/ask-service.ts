/** Questions of nodes to databases and mail servers, with a credential of the configuration. */
import { NodeFailure, type ServiceQuestion } from '../../nodes/run.ts'
import { OVERLOADED, type ServiceLogin, type ServiceResult, type ServiceTask } from '../../services/port.ts'
import { beforeRotation } from '../../snapshot/link/credential.ts'
import type { LinkedCredential } from '../../snapshot/linked/credential.ts'
import { budgetOf } from '../caller-memory.ts'
import type { Routed } from '../exchange.ts'

/** Kind of a failure by which a server refuses a credential. */
const REFUSED_LOGIN = 'login'

/**
 * Asks a server. `done` is told later, never at once. A credential that is refused after its rotation is followed by what it was before.
 * @returns what gives the question up
 * @throws NodeFailure where the credential cannot be used
 */
export function askService(
  exchange: Routed,
  { to, credential: id, work }: ServiceQuestion,
  done: (answer: unknown) => void,
): () => void {
  const { services } = exchange.lane
  if (services === null) throw new NodeFailure('lost', 'no server can be asked here')
  const credential = id === null ? null : credentialOf(exchange, id)
  const before = (): LinkedCredential | null => {
    const previous = beforeRotation(credential?.previous ?? null, exchange.lane.clock.now())
    return previous === null || previous.credential.login === null ? null : previous.credential
  }
  const run = (login: ServiceLogin | null, ended: (result: ServiceResult) => void): (() => void) =>
    services.run({ to, login, work } satisfies ServiceTask, ended)
  const end = (result: ServiceResult): void => done(answerOf(exchange, result))
  let giveUp = run(loginOf(credential), (result) => {
    const isRefused = !result.ok && result.kind === REFUSED_LOGIN
    const other = isRefused ? before() : null
    if (other !== null) giveUp = run(loginOf(other), end)
    else end(result)
  })
  return () => giveUp()
}

function credentialOf(exchange: Routed, id: string): LinkedCredential {
  const credential = exchange.snapshot.credentials.get(id)
  if (credential === undefined || credential.login === null)
    throw new NodeFailure('credential', `credential ${id} is not available`, 'credential_unavailable')
  credential.usedAt = exchange.now
  return credential
}

function loginOf(credential: LinkedCredential | null): ServiceLogin | null {
  const login = credential?.login ?? null
  return login && { username: login.username, password: login.password.reveal() }
}

/** The value, or a NodeFailure. */
function answerOf(exchange: Routed, result: ServiceResult): unknown {
  if (!result.ok) {
    const { kind, message } = result
    return new NodeFailure(kind, message, kind === OVERLOADED ? 'overloaded' : 'workflow_failed')
  }
  // Answers are kept until the run has ended
  if (!budgetOf(exchange).take(result.json.length))
    return new NodeFailure('memory', 'there is no room for the answer', 'overloaded')
  return JSON.parse(result.json) as unknown
}
