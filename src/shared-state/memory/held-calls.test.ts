import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { type MessagePort, Worker } from 'node:worker_threads'
import { type HeldCallsMade, testHeldCalls } from '../../../test/shared-state/held-calls.ts'
import { eventually } from '../../../test/support/eventually.ts'
import type { CallReader } from '../ports/held-calls.ts'
import { createThreadHeldCalls, type ThreadHeldCalls } from './held-calls.ts'

/** Threads in name only, with what carries attachments between them. */
function threads(count: number): HeldCallsMade {
  /** Ends of channels, by the member that has them. */
  const ports: MessagePort[][] = Array.from({ length: count }, () => [])
  const members: (ThreadHeldCalls | null)[] = Array.from({ length: count }, (_, slot) =>
    createThreadHeldCalls({
      slot,
      send(sent) {
        const owner = members[sent.slot]
        if (owner == null) {
          sent.port.close()
          return
        }
        ports[slot]!.push(sent.port)
        ports[sent.slot]!.push(sent.port)
        owner.deliver(sent)
      },
    }),
  )
  return {
    members: members.map((member) => member!),
    kill(slot) {
      members[slot] = null
      for (const port of ports[slot]!) port.close()
    },
  }
}

testHeldCalls('channels between threads', threads)

test('a thread that ends, or never answers again, loses its calls; so does one that the attachment is on its way to', async () => {
  const program = new URL('../../../test/programs/held-call.ts', import.meta.url)
  for (const how of ['waits', 'spins', 'exits']) {
    const worker = new Worker(program, { workerData: how, stdout: true })
    const [id] = (await once(worker, 'message')) as [string]
    const calls = createThreadHeldCalls({
      slot: 9,
      send: (sent) => worker.postMessage(sent, [sent.port]),
    })
    const heard: string[] = []
    const reader: CallReader = {
      message: (text) => void heard.push(text),
      end: (text) => void heard.push(`end ${text}`),
      lost: () => void heard.push('lost'),
    }
    calls.attach(id, how, reader)
    if (how === 'waits') await eventually(() => heard.length === 1)
    if (how === 'exits') await once(worker, 'exit')
    else await worker.terminate()
    await eventually(() => heard.at(-1) === 'lost')
    assert.deepEqual(heard.slice(0, -1), how === 'spins' ? [] : [how])
    // Nothing closes a channel that is sent to a thread which has ended
    calls.attach(id, how, reader)
    calls.ended(0)
    await eventually(() => heard.length === (how === 'spins' ? 2 : 3))
    assert.equal(heard.at(-1), 'lost')
  }
})
