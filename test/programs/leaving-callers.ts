/**
 * Callers of an instance that leave it once `/readyz` says 503, in a thread of their own: a pause of the thread of the instance, such as
 * a collection of its garbage, would be a pause of all callers too, which the instance takes for their end.
 */
import { Agent, request } from 'node:http'
import { parentPort, workerData } from 'node:worker_threads'

/** What such callers are told to call. */
export interface LeavingCallers {
  readonly url: string
  readonly readyz: string
  readonly token: string
}

/** What they have seen: the last status of `/readyz`, and how often each status or error. */
export interface Left {
  readonly health: number | string
  readonly ends: readonly (readonly [end: number | string, count: number])[]
}

const CALLERS = 16
/** Calls before the instance may stop. */
const CALLS = 300

const { url, readyz, token } = workerData as LeavingCallers

/** The status of an answer, or the error in its place. */
function ask(to: string, agent?: Agent): Promise<number | string> {
  return new Promise((resolve) => {
    const failed = (error: Error): void => resolve(error.message)
    const headers = { authorization: `Bearer ${token}` }
    const sent = request(to, { headers, agent: agent ?? false }, (answer) => {
      answer.resume()
      answer.on('end', () => resolve(answer.statusCode ?? 0))
      answer.on('error', failed)
    })
    sent.on('error', failed)
    sent.end()
  })
}

const ends = new Map<number | string, number>()
let isReady = true
const callers = Array.from({ length: CALLERS }, async (_, n) => {
  const agent = n % 2 === 0 ? new Agent({ keepAlive: true, maxSockets: 1 }) : undefined
  while (isReady) {
    const end = await ask(url, agent)
    ends.set(end, (ends.get(end) ?? 0) + 1)
    if (ends.get(200) === CALLS) parentPort?.postMessage('calling')
  }
  agent?.destroy()
})
// On a connection of its own each time: the server ends those that stand unused. An error ends the callers too
let health: number | string = 200
while (health === 200) health = await ask(readyz)
isReady = false
await Promise.all(callers)
parentPort?.postMessage({ health, ends: [...ends] } satisfies Left)
