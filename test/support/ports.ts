import { createServer } from 'node:net'

const FIRST = 20_000
const PORTS = 100
const PROCESSES = 120

let given = 0

/**
 * A port for a server that lets go of it before its threads share it. Test files run as processes of their own: each
 * takes its ports from a range of its own, which the system gives to nobody who asks for any port, so that no two
 * servers come to share one.
 */
export async function ownPort(): Promise<number> {
  for (;;) {
    const port = FIRST + (process.pid % PROCESSES) * PORTS + (given++ % PORTS)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer()
    probe.once('error', () => done(false))
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => done(true)))
  })
}
