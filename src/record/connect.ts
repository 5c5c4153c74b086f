import type { MessagePort } from 'node:worker_threads'
import type { FromRecorder, ToRecorder } from './messages.ts'
import type { BatchedSink } from './record-queue.ts'

/**
 * Joins a sink to a recorder by their port. When the recorder dies the port closes: the sink then gathers and drops
 * until it is joined to the next one.
 */
export function connectSink(sink: BatchedSink, port: MessagePort): void {
  let open = true
  const post = (message: ToRecorder, transfer: ArrayBuffer[]): void => port.postMessage(message, transfer)
  port.on('message', (message: FromRecorder) => {
    if (!open) return
    if (message.kind === 'taken') sink.taken(message.proved)
    else {
      sink.flush()
      post({ kind: 'flushed', id: message.id }, [])
    }
  })
  port.once('close', () => {
    // A later connection may already be in place; then the rows were counted when it was attached.
    if (open && sinkPorts.get(sink) === port) sink.attach(null)
    open = false
  })
  sinkPorts.set(sink, port)
  sink.attach((batch) => post({ kind: 'batch', batch }, [batch.numbers]))
  // A port alone shall not keep a draining thread alive.
  port.unref()
}

const sinkPorts = new WeakMap<BatchedSink, MessagePort>()
