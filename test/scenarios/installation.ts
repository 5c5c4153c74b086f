/** Whole instances on one database, as behind one load balancer. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import type { DatabaseAddress } from '../../src/base/net/database-url.ts'
import type { TestDatabases } from '../support/postgres-databases.ts'
import { addressOf } from '../support/test-database.ts'
import { startTestServer, type TestServer } from './server.ts'

const ORIGIN = 'http://localhost:18080'

export interface Installation {
  readonly address: DatabaseAddress
  readonly url: string
  /** The data directory of a node. */
  data(name: string): string
  /** What a node is started with, beside its directory and ports. The key of node `a` is that of all. */
  flags(name: string): readonly string[]
  start(name: string, flags?: readonly string[], adminless?: boolean): Promise<TestServer>
}

/** Makes installations for the tests of a file, each on an empty database. */
export function installations({ create }: Pick<TestDatabases, 'create'>): () => Promise<Installation> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-nodes-'))
  after(() => rmSync(directory, { recursive: true, force: true }))
  let count = 0
  return async () => {
    const { host, port, user, database, password } = await create()
    const place = join(directory, String(count++))
    const file = `${place}-password`
    writeFileSync(file, `${password}\n`, { mode: 0o600 })
    const url = `postgres://${user}@${host}:${port}/${database}?password_file=${file}`
    const data = (name: string): string => `${place}-${name}`
    const flags = (name: string): readonly string[] => [
      '--database-url',
      url,
      '--origin',
      ORIGIN,
      ...(name === 'a' ? [] : ['--key-file', join(data('a'), 'vault.key')]),
    ]
    return {
      address: addressOf(url),
      url,
      data,
      flags,
      start: (name, more = [], adminless = false) =>
        startTestServer({ data: data(name), adminless, flags: [...more, ...flags(name)] }),
    }
  }
}
