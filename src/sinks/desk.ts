/** All senders of the sinks thread, by what the main thread orders. */

import { maskText } from '../base/text/mask.ts'
import type { SinkStream } from '../model/sink.ts'
import type { RecordReader } from '../store/ports/records.ts'
import { createFileReceiver } from './file.ts'
import type { AuditPage, FromSinks, Position, SinkOrder, SinkTarget, StreamState, ToSinks } from './port.ts'
import { NotAccepted, type Receiver, type ReceiverParts } from './receiver.ts'
import { runSender } from './sender.ts'
import { createAuditSource, createRecordSource } from './source.ts'
import { createSyslogReceiver } from './syslog.ts'
import { createWebhookReceiver } from './webhook.ts'

interface Running {
  /** Of what the sender was started with, but for its position. */
  readonly fingerprint: string
  readonly generation: number
  readonly stop: AbortController
  readonly ended: Promise<void>
  state: StreamState
}

export interface Desk {
  take(message: ToSinks): void
}

/** @param say tells the main thread */
export function createDesk(
  parts: ReceiverParts & { readonly reader: RecordReader; readonly environment: string | null },
  say: (message: FromSinks) => void,
): Desk {
  const { clock, reader } = parts
  const running = new Map<string, Running>()
  const asked = new Map<number, (page: AuditPage | null) => void>()
  let lastId = 0
  let until = 0
  let isStopping = false

  const askAudit = (position: Position, count: number): Promise<AuditPage | null> =>
    new Promise((done) => {
      const id = ++lastId
      asked.set(id, done)
      say({ kind: 'audit', id, position, count })
    })

  function start(
    order: SinkOrder,
    stream: SinkStream,
    fingerprint: string,
    before: Running | undefined,
  ): Running {
    const stop = new AbortController()
    // Positions that were set anew win over those that the sender has reached
    const isSameTurn = before?.generation === order.generation
    const run = async (): Promise<void> => {
      await before?.ended
      const state = isSameTurn ? before!.state : order.streams[stream]!
      its.state = state
      const receiver = order.fault === null ? openReceiver(order, parts) : faulty(order.fault)
      const source =
        stream === 'audit' ? createAuditSource(askAudit) : createRecordSource(reader, order.filter)
      const progress = (next: StreamState): void => {
        its.state = next
        say({ kind: 'progress', sink: order.id, generation: order.generation, stream, state: next })
      }
      try {
        await runSender(
          { sink: order.id, stream, source, receiver, clock, until: () => until, progress },
          state,
          stop.signal,
        )
      } finally {
        await receiver.close()
      }
    }
    const its: Running = {
      fingerprint,
      generation: order.generation,
      stop,
      state: order.streams[stream]!,
      ended: Promise.resolve().then(run),
    }
    return its
  }

  function follow(orders: readonly SinkOrder[]): void {
    const wanted = new Set<string>()
    for (const order of orders)
      for (const stream of Object.keys(order.streams) as SinkStream[]) {
        const key = `${order.id} ${stream}`
        wanted.add(key)
        const { streams: _, ...rest } = order
        const fingerprint = JSON.stringify(rest)
        const before = running.get(key)
        if (before?.fingerprint === fingerprint) continue
        before?.stop.abort()
        running.set(key, start(order, stream, fingerprint, before))
      }
    for (const [key, one] of running) {
      if (wanted.has(key)) continue
      one.stop.abort()
      running.delete(key)
    }
  }

  async function test(target: SinkTarget): Promise<Extract<FromSinks, { kind: 'tested' }>['test']> {
    const begun = clock.monotonic()
    const done = (ok: boolean, summary: string) => ({
      ok,
      summary,
      latency_ms: Math.round(clock.monotonic() - begun),
    })
    if (target.fault !== null) return done(false, target.fault)
    const receiver = openReceiver(target, parts)
    const time = clock.now()
    const json = JSON.stringify({
      type: 'test',
      time: new Date(time).toISOString(),
      sink: target.id,
      environment: parts.environment,
      message: 'This is a test event.',
    })
    try {
      const id = `test_${target.id}_${time}`
      return done(true, await receiver.send({ id, stream: 'test', events: [{ id, time, json }] }))
    } catch (error) {
      if (error instanceof NotAccepted) return done(false, error.message)
      return done(false, maskText(error instanceof Error ? error.message : String(error)))
    } finally {
      await receiver.close()
    }
  }

  return {
    take(message) {
      if (isStopping) return
      switch (message.kind) {
        case 'orders':
          until = message.until
          return follow(message.orders)
        case 'audit':
          asked.get(message.id)?.(message.page)
          asked.delete(message.id)
          return
        case 'test':
          void test(message.target).then((result) => say({ kind: 'tested', id: message.id, test: result }))
          return
        case 'stop': {
          isStopping = true
          for (const { stop } of running.values()) stop.abort()
          for (const done of asked.values()) done(null)
          void Promise.allSettled([...running.values()].map(({ ended }) => ended)).then(() =>
            say({ kind: 'stopped' }),
          )
        }
      }
    },
  }
}

function openReceiver({ destination, secret }: SinkTarget, parts: ReceiverParts): Receiver {
  switch (destination.type) {
    case 'webhook':
      return createWebhookReceiver(destination, secret ?? '', parts)
    case 'file':
      return createFileReceiver(destination, parts)
    case 'syslog':
      return createSyslogReceiver(destination, parts)
  }
}

/** For a sink whose secret cannot be read. */
function faulty(reason: string): Receiver {
  return { send: () => Promise.reject(new NotAccepted(reason)), close: async () => {} }
}
