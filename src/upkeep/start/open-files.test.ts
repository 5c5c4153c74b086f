import assert from 'node:assert/strict'
import { test } from 'node:test'
import { logOpenFiles, readOpenFiles } from './file-check.ts'

const limits = (soft: string): string =>
  `Limit                     Soft Limit           Hard Limit           Units     \nMax processes             1                    2                    processes \nMax open files            ${soft.padEnd(20)} 524288               files     \n`

test('the limit of open files is read from the text of /proc/<pid>/limits', () => {
  assert.equal(readOpenFiles(limits('1024')), 1024)
  assert.equal(readOpenFiles(limits('unlimited')), Number.POSITIVE_INFINITY)
  assert.equal(readOpenFiles('Max processes 1 2'), null)
})

test('the limit of open files is logged, as a warning if it is low, and not at all if it is unknown', () => {
  const logged: string[] = []
  const log = (level: string, line: string): void => void logged.push(`${level} ${line}`)
  logOpenFiles(log, 524_288)
  logOpenFiles(log, 256)
  logOpenFiles(log, null)
  assert.equal(logged.length, 2)
  assert.equal(logged[0], 'info limit of open files: 524288')
  assert.match(logged[1]!, /^warn limit of open files: 256\. .*ulimit -n/)
})
