/**
 * Transactions in which a process works longer than the server waits for a statement. The server may then wait so short that it ends the
 * transaction of a process that was stopped, and not one in which a process compiles a large configuration.
 */
import type { PgClient, PgPool } from './connection.ts'

/**
 * The pool, with connections that ask the server for nothing while they are used and no statement runs. A thread that is blocked, or a
 * process that was stopped, does not ask.
 * @param everyMs milliseconds between two such statements
 */
export function keptAlive(pool: PgPool, everyMs: number): PgPool {
  return {
    ...pool,
    async connect() {
      return keep(await pool.connect(), everyMs)
    },
  }
}

function keep(client: PgClient, everyMs: number): PgClient {
  let running = 0
  let asking: Promise<unknown> | null = null
  const timer = setInterval(() => {
    if (running > 0 || asking !== null) return
    asking = client
      .query('select 1')
      // The next statement meets the same fault
      .catch(() => {})
      .finally(() => {
        asking = null
      })
  }, everyMs).unref()
  /** A connection takes one statement at a time. */
  const alone = async <T>(statement: () => Promise<T>): Promise<T> => {
    running++
    try {
      if (asking !== null) await asking
      return await statement()
    } finally {
      running--
    }
  }
  return {
    query: (text, values) => alone(() => client.query(text, values)),
    copy: (select, columns) => alone(() => client.copy(select, columns)),
    release(destroy) {
      clearInterval(timer)
      client.release(destroy)
    },
    on: client.on.bind(client) as PgClient['on'],
    off: client.off.bind(client) as PgClient['off'],
  }
}
