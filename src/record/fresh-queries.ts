/**
 * Questions about records that first have the gateway threads hand over what they hold. A caller therefore finds the call
 * that it has just made.
 */
import type { RecordQueryClient } from './query-client.ts'
import { toRecordFilter, toRecordSelection } from './record-selection.ts'
import type { Recorder } from './recorder-client.ts'

/** Questions about request records, and their removal. */
export interface RecordQuestions extends RecordQueryClient {
  remove(
    selection: Parameters<typeof toRecordSelection>[0],
    onlyCount: boolean,
  ): ReturnType<Recorder['remove']>
  /** As of {@link Recorder}; a filter that is none is refused with input_invalid. */
  follow(filter: Record<string, unknown>, waitMs: number, by: string): ReturnType<Recorder['follow']>
}

/** Who asks right after a call finds it: what the gateway threads still hold is stored before a question is put. */
export function createFreshQueries(
  recorder: Pick<Recorder, 'flush' | 'follow' | 'remove'>,
  queries: RecordQueryClient,
): RecordQuestions {
  return {
    ...queries,
    list: (filter) => recorder.flush().then(() => queries.list(filter)),
    get: (id) => recorder.flush().then(() => queries.get(id)),
    metrics: (question) => recorder.flush().then(() => queries.metrics(question)),
    async follow(filter, waitMs, by) {
      const parsed = toRecordFilter(filter)
      // Who begins now has seen what was called before
      if (parsed.cursor == null) await recorder.flush()
      return recorder.follow(parsed, waitMs, by)
    },
    remove: async (selection, onlyCount) => recorder.remove(toRecordSelection(selection), onlyCount),
  }
}
