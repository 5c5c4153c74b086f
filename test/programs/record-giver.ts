/** A thread that plays a gateway thread: adds numbered records to a queue as fast as told. */
import { parentPort, workerData } from 'node:worker_threads'
import { connectRecordQueue, createRecordQueue } from '../../src/record/record-queue.ts'
import { recordFields } from './record-fields.ts'

const { name, rows, batchesMax } = workerData as { name: string; rows: number; batchesMax: number }
const queue = createRecordQueue({ batchesMax })
let added = 0

function addSome(): void {
  for (let i = 0; i < 500 && added < rows; i++)
    queue.add(recordFields({ id: `${name}-${added}`, timeMs: 1_800_000_000_000 + added++ }))
  if (added < rows) setImmediate(addSome)
  else parentPort!.postMessage({ added, dropped: queue.dropped })
}

parentPort!.on('message', (message) => {
  if (message.port !== undefined) connectRecordQueue(queue, message.port)
  if (message.start === true) addSome()
  if (message.flush === true) {
    queue.flush()
    parentPort!.postMessage({ added, dropped: queue.dropped })
  }
})
