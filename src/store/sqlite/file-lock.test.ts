import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { lockFile } from './directory-lock.ts'

const directory = mkdtempSync(join(tmpdir(), 'postern-lock-'))
after(() => rmSync(directory, { recursive: true }))

test('who asks for a lock waits for who holds it', async () => {
  const file = join(directory, 'a.lock')
  const order: string[] = []
  const first = await lockFile(file)
  const second = lockFile(file).then((release) => {
    order.push('second')
    release()
  })
  const other = await lockFile(join(directory, 'other.lock'))
  other()
  assert.equal(order.length, 0, 'another lock is had meanwhile')
  order.push('first')
  first()
  await second
  assert.deepEqual(order, ['first', 'second'])
})

for (const [end, how] of [
  ['is killed', 'setInterval(() => {}, 1000)'],
  ['exits without giving it back', 'process.exit()'],
] as const)
  test(`a lock ends with the process that held it, also when that ${end}`, async () => {
    const file = join(directory, `${end}.lock`)
    const module = resolve(import.meta.dirname, 'directory-lock.ts')
    const script = `const { lockFile } = await import(${JSON.stringify(module)}); await lockFile(${JSON.stringify(file)}); console.log('held'); ${how}`
    const holder = spawn(process.execPath, ['--input-type=module', '-e', script])
    await once(holder.stdout, 'data')
    holder.kill('SIGKILL')
    const release = await lockFile(file)
    release()
  })
