import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { linkedValues, plainLink } from '../../src/store/ports/audit-chain.ts'

const TABLES = [
  'audit',
  'audit_filters',
  'audit_chain',
  'audit_checkpoints',
  'audit_anchors',
  'audit_key_anchor',
] as const

/** The file of a trail in the hands of somebody who can write it, and has taken its triggers off. */
export class AuditFile implements Disposable {
  readonly database: DatabaseSync

  constructor(directory: string) {
    this.database = new DatabaseSync(join(directory, 'config.db'))
    const triggers = this.database
      .prepare("select name from sqlite_schema where type = 'trigger' and name like 'audit%'")
      .all()
    for (const { name } of triggers) this.database.exec(`drop trigger ${String(name)}`)
  }

  /** What is found after a change of the file; everything is put back afterwards. */
  async tampered<T>(tamper: () => void, find: () => Promise<T>): Promise<T> {
    const numbers = this.database.prepare("select seq from sqlite_sequence where name = 'audit'").get()
    for (const table of TABLES) this.database.exec(`create table kept_${table} as select * from ${table}`)
    try {
      tamper()
      return await find()
    } finally {
      for (const table of TABLES) {
        this.database.exec(`delete from ${table}; insert into ${table} select * from kept_${table}`)
        this.database.exec(`drop table kept_${table}`)
      }
      this.database.exec(`update sqlite_sequence set seq = ${Number(numbers?.['seq'])} where name = 'audit'`)
    }
  }

  /** Makes all links anew from a number on, as somebody would who knows how they are made and has no key. */
  relink(from: number): void {
    const { database } = this
    database.exec(`delete from audit_chain where seq >= ${from}`)
    const last =
      database.prepare('select hash from audit_chain order by seq desc limit 1').get() ??
      database.prepare('select hash from audit_anchors order by seq desc limit 1').get()
    let hash = String(last?.['hash'] ?? '')
    for (const row of database.prepare(`select * from audit where seq >= ${from} order by seq`).all()) {
      hash = plainLink(hash, linkedValues(row))
      database.prepare('insert into audit_chain values (?, ?)').run(Number(row['seq']), hash)
    }
  }

  [Symbol.dispose](): void {
    this.database.close()
  }
}
