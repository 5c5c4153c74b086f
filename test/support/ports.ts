import { createServer } from 'node:net'

const FIRST = 20_000
const PORTS = 100
const RANGES = 120

let given = 0
let claimed: Promise<number> | null = null

/**
 * A port for a server that lets go of it before its threads share it. Test files run as processes of their own: each
 * takes its ports from a range of its own, which the system gives to nobody who asks for any port, so that no two
 * servers come to share one.
 */
export async function ownPort(): Promise<number> {
  claimed ??= claimRange()
  const first = await claimed
  for (;;) {
    // The last one is the claim
    const port = first + (given++ % (PORTS - 1))
    if (await canListen(port)) return port
  }
}

/**
 * The first port of a range that no other process has: whoever listens on the last one has it, until the process ends. Gateway threads
 * share their port, so two servers on one port would take the calls of each other, and neither would know.
 */
async function claimRange(): Promise<number> {
  for (let at = 0; at < RANGES; at++) {
    const first = FIRST + ((process.pid + at) % RANGES) * PORTS
    if (await canListen(first + PORTS - 1, true)) return first
  }
  throw new Error('other processes have all ranges of ports')
}

/** @param forGood keeps the port until the process ends, which it does not keep alive */
function canListen(port: number, forGood = false): Promise<boolean> {
  return new Promise((done) => {
    const probe = createServer()
    probe.once('error', () => done(false))
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      if (!forGood) return void probe.close(() => done(true))
      probe.unref()
      done(true)
    })
  })
}
