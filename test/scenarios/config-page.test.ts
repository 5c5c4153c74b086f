import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { runPage } from '../support/page.ts'
import { runCommand } from './cli.ts'
import { startTestServer, type TestServer } from './server.ts'

let server: TestServer
const directory = mkdtempSync(join(tmpdir(), 'postern-page-'))
before(async () => {
  server = await startTestServer()
})
after(async () => {
  await server.stop()
  rmSync(directory, { recursive: true })
})

const pageOf = (name: string): string =>
  readFileSync(resolve(import.meta.dirname, '../../docs', name), 'utf8')
const CODE = pageOf('configuration-as-code.md')
const blocks = (page: string, language: string): string[] =>
  [...page.matchAll(/```(\w*)\n([\s\S]*?)```/g)].filter((one) => one[1] === language).map((one) => one[2]!)
const documents = blocks(CODE, 'yaml')[0]!

/** Words of a line of a shell, of which quotes hold several together. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2]!)

test('the page about configuration as code does and prints what it says', async () => {
  writeFileSync(join(directory, 'orders.yaml'), documents)
  writeFileSync(join(directory, 'shop.yaml'), blocks(CODE, 'yaml')[1]!)
  const sessions = blocks(CODE, 'console').flatMap((block) => block.split(/^\$ /m).slice(1))
  assert.equal(sessions.length, 7)
  for (const session of sessions) {
    const [line, ...expected] = session.split('\n')
    const words = wordsOf(line!.replace(/(orders|shop)\.yaml/, join(directory, '$&')))
    const { out, err } = await runCommand(server.data, words.slice(1))
    // What is shown without an answer is done for what follows
    if (expected.join('') !== '') assert.equal(out, expected.join('\n'), `${line}\n${err}`)
  }
})

test('the pipelines of the page about them do what they say', async () => {
  assert.equal(await runPage('ci-cd.md', server, {}), 3)
  const page = pageOf('ci-cd.md')
  const folder = join(directory, 'gateway')
  mkdirSync(folder)
  writeFileSync(
    join(folder, 'shop.yaml'),
    documents
      .replaceAll('orders', 'shop')
      .replaceAll('gold', 'silver')
      .replace('slug: backend', 'slug: other')
      .replace('credential: backend', 'credential: other'),
  )
  writeFileSync(join(directory, 'production.yaml'), 'UPSTREAM: http://127.0.0.1:9000\n')
  const lines = [...blocks(page, 'yaml'), ...blocks(page, 'sh')].flatMap((block) => block.split('\n'))
  const commands = lines.flatMap((line) => line.match(/(?<=^[ -]*(?:run: )?)postern .*$/)?.[0] ?? [])
  assert.equal(commands.length, 7)
  let plan = ''
  for (const command of commands) {
    const words = wordsOf(command.replace(/ > \S+$/, '').replace(/"\$\(jq.*\)"/, plan))
    const args = words
      .slice(1)
      .map((word) => (/^(gateway|production\.yaml)$/.test(word) ? join(directory, word) : word))
    const { code, out, err } = await runCommand(server.data, args)
    assert.equal(code, 0, `${command}\n${err}`)
    if (words[1] === 'plan') plan = String((JSON.parse(out) as { plan_id: string }).plan_id)
  }
})
