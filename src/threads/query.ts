/** The query thread: answers questions about request records on a read-only connection, one after the other. */
import { parentPort } from 'node:worker_threads'
import { createClock } from '../base/clock.ts'
import { Refusal } from '../base/refusal.ts'
import { reportContract } from '../record/contract-report.ts'
import type { FromQueryThread, QuerySetup, ToQueryThread } from '../record/messages.ts'
import { measure } from '../record/metrics.ts'
import { getRecord, listRecords } from '../record/search.ts'
import { PLACES } from '../serve/places.ts'
import { StoreUnavailable } from '../store/ports/unavailable.ts'
import { threadData } from './data.ts'

if (parentPort === null) throw new Error('threads/query.ts runs as a worker thread only')
const main = parentPort
const setup = await threadData<QuerySetup>()
const clock = createClock(setup.clockCell ?? undefined)
const reader = await PLACES.records(setup.path).openReader()

async function answer(message: ToQueryThread): Promise<FromQueryThread> {
  const { id } = message
  try {
    if (message.kind === 'list')
      return { kind: 'list', id, page: await listRecords(reader, clock, message.filter) }
    if (message.kind === 'metrics')
      return { kind: 'metrics', id, answer: await measure(reader, clock, message.question) }
    if (message.kind === 'contract')
      return { kind: 'contract', id, answer: await reportContract(reader, clock, message.question) }
    return { kind: 'get', id, record: await getRecord(reader, clock, message.record) }
  } catch (error) {
    if (error instanceof StoreUnavailable)
      return {
        kind: 'refused',
        id,
        code: 'records_unavailable',
        detail: 'The store of request records cannot be read.',
      }
    if (error instanceof Refusal) return { kind: 'refused', id, code: error.code, detail: error.message }
    return {
      kind: 'failed',
      id,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    }
  }
}

main.on('message', (message: ToQueryThread) => {
  void answer(message).then((reply) => main.postMessage(reply))
})
