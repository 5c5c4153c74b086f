/** The work of the query thread: one question, one answer. */
import type { Clock } from '../base/clock.ts'
import { Refusal } from '../base/refusal.ts'
import type { RecordReader } from '../store/ports/records.ts'
import { StoreUnavailable } from '../store/ports/unavailable.ts'
import { reportContract } from './contract-report.ts'
import type { FromQueryThread, ToQueryThread } from './messages.ts'
import { measure } from './metrics.ts'
import { measureRolled } from './rollup/answer.ts'
import { getRecord, listRecords } from './search.ts'

/** Answers a question about request records. Never rejects: what goes wrong is an answer too. */
export async function answerQuery(
  reader: RecordReader,
  clock: Clock,
  message: ToQueryThread,
): Promise<FromQueryThread> {
  const { id } = message
  try {
    switch (message.kind) {
      case 'list':
        return { kind: 'list', id, page: await listRecords(reader, clock, message.filter) }
      case 'metrics':
        return {
          kind: 'metrics',
          id,
          answer:
            (await measureRolled(reader, clock, message.question)) ??
            (await measure(reader, clock, message.question)),
        }
      case 'contract':
        return { kind: 'contract', id, answer: await reportContract(reader, clock, message.question) }
      case 'get':
        return { kind: 'get', id, record: await getRecord(reader, clock, message.record) }
    }
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
