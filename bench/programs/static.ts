/** The wire engine alone: answers every request with the bytes of a file, whole body read. Arguments: port, file. */
import { readFileSync } from 'node:fs'
import { createClock } from '../../src/base/clock.ts'
import { createEgress, NO_LISTENER } from '../../src/base/net/egress.ts'
import { createNativeEngine } from '../../src/wire/native/engine.ts'

const [port, file] = process.argv.slice(2)
const text = readFileSync(file!, 'utf8')
const FIELDS = 'content-type: application/json\r\ncache-control: no-store\r\n'
const BYTES_MAX = 1024 * 1024
const UNBOUNDED = { take: () => true, give() {} }

const engine = createNativeEngine({
  clock: createClock(),
  egress: createEgress(NO_LISTENER),
  rules: { take: [], peek: [], identity: [], strip: [], stripPrefixes: [] },
  handler: {
    request(incoming) {
      if (incoming.method !== 'POST') incoming.answer(200, FIELDS, text)
      else
        incoming.collect(BYTES_MAX, UNBOUNDED, (body) => {
          if (body !== null) incoming.answer(200, FIELDS, text)
        })
    },
    refused(incoming, code) {
      incoming.answer(502, '', code)
    },
    finished() {},
  },
})
await engine.listen({ host: '127.0.0.1', reusePort: false, port: Number(port) })
