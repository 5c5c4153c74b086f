import type { RecordQueryClient } from './query-client.ts'
import { toRecordSelection } from './record-selection.ts'
import type { Recorder } from './recorder-client.ts'

/** Questions about request records, and their removal. */
export interface RecordQuestions extends RecordQueryClient {
  remove(
    selection: Parameters<typeof toRecordSelection>[0],
    onlyCount: boolean,
  ): ReturnType<Recorder['remove']>
}

/** Who asks right after a call finds it: what the gateway threads still hold is stored before a question is put. */
export function createFreshQueries(
  recorder: Pick<Recorder, 'flush' | 'remove'>,
  queries: RecordQueryClient,
): RecordQuestions {
  return {
    ...queries,
    list: (filter) => recorder.flush().then(() => queries.list(filter)),
    get: (id) => recorder.flush().then(() => queries.get(id)),
    metrics: (question) => recorder.flush().then(() => queries.metrics(question)),
    remove: async (selection, onlyCount) => recorder.remove(toRecordSelection(selection), onlyCount),
  }
}
