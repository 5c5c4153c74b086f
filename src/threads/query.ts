/**
 * Reads the records store: answers questions about records and metrics on a read-only connection, one after the other. One for the process.
 * Rules: `record/answer-query.ts`.
 */
import { parentPort } from 'node:worker_threads'
import { createClock } from '../base/clock.ts'
import { answerQuery } from '../record/answer-query.ts'
import type { QuerySetup, QueryThreadReady, ToQueryThread } from '../record/messages.ts'
import { placesOf } from '../serve/places.ts'
import { threadData } from './data.ts'

if (parentPort === null) throw new Error('threads/query.ts runs as a worker thread only')
const main = parentPort
const setup = await threadData<QuerySetup>()
const clock = createClock(setup.clockCell ?? undefined)
const reader = await placesOf(setup.database).records(setup.path).openReader()

main.on('message', (message: ToQueryThread) => {
  void answerQuery(reader, clock, message).then((reply) => main.postMessage(reply))
})
main.postMessage({ kind: 'ready' } satisfies QueryThreadReady)
