/** Records until it is killed; prints how many records were taken by the store so far. Argument: the file. */
import type { FromRecorder } from '../../src/record/messages.ts'
import { createRecordQueue } from '../../src/record/record-queue.ts'
import { startRecorder } from '../../src/record/recorder-client.ts'
import { createWorkers } from '../../src/threads/worker.ts'
import { recordFields } from './record-fields.ts'

const path = process.argv[2]!
const workerData = { path, database: null, retentionMs: 1e15, clockCell: null, counters: null }
const recorder = await startRecorder(() => createWorkers().start('recorder', workerData), console.error)
const queue = createRecordQueue({ batchRows: 50 })
let taken = 0
recorder.connect((port) => {
  port.on('message', (message: FromRecorder) => {
    if (message.kind !== 'taken') return
    taken += 50
    queue.taken(message.proved)
    console.log(taken)
  })
  queue.attach((batch) => port.postMessage({ kind: 'batch', batch }, [batch.numbers]))
})
let added = 0
setInterval(() => {
  for (let i = 0; i < 500; i++)
    queue.add(recordFields({ id: `forever-${added}`, timeMs: 1_800_000_000_000 + added++ }))
}, 1)
