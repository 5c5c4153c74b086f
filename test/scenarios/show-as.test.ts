/** What the console shows of a request for other interfaces, run as it is shown. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { type JsonObject, rowsOf } from '../../ui/build/document.ts'
import { FORMS, formOf } from '../../ui/src/show-as/forms.ts'
import { runCommand } from './cli.ts'
import { startTestServer, type TestServer } from './server.ts'

const rows = rowsOf(
  JSON.parse(readFileSync(new URL('../golden/openapi.json', import.meta.url), 'utf8')) as JsonObject,
)
const run = promisify(execFile)
let server: TestServer
before(async () => {
  server = await startTestServer({ workers: 1 })
})
after(() => server?.stop())

/** The words of a command line, as a shell reads them. */
async function wordsOf(line: string): Promise<string[]> {
  const { stdout } = await run('sh', ['-c', `printf '%s\\0' ${line}`])
  return stdout.split('\0').slice(0, -1)
}

/** Runs a form; answers what came back as JSON. */
const RUNS: Readonly<Record<(typeof FORMS)[number]['form'], (text: string) => Promise<unknown>>> = {
  async curl(text) {
    const env = { ...process.env, POSTERN_TOKEN: server.adminToken }
    return JSON.parse((await run('sh', ['-c', `${text} -s`], { env })).stdout)
  },
  async cli(text) {
    const [program, ...args] = await wordsOf(text)
    assert.equal(program, 'postern')
    const { code, out, err } = await runCommand(
      server.data,
      [...args, '-y', '-o', 'json'].filter((word) => word !== '-y' || /delete/.test(text)),
    )
    assert.equal(code, 0, err)
    return JSON.parse(out)
  },
  async mcp(text) {
    const { params } = JSON.parse(text)
    const answer = await fetch(`${server.running.controlUrl}/management/mcp?view=full`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.adminToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ tool: params.name, arguments: params.arguments }),
    })
    return answer.json()
  },
}

const shown = (
  form: (typeof FORMS)[number]['form'],
  name: string,
  input: Record<string, unknown>,
  options = {},
) => formOf(form, { operation: rows[name]!, input, options }, server.running.controlUrl)!

test('each form of a write makes the same change, and audit entries that differ by their surface alone', async () => {
  const limits = [{ name: 'minute', kind: 'rate', max: 7, window: '1m' }]
  const entries = []
  for (const { form } of FORMS) {
    const input = { name: `It's ${form} "quoted" $HOME`, slug: `by-${form}`, limits }
    const answer = await RUNS[form](shown(form, 'policies.create', input, { reason: `shown as ${form}` }))
    const stored = await server.manage('GET', `/policies/by-${form}`)
    assert.equal(stored.status, 200, JSON.stringify(answer))
    assert.deepEqual([stored.json.name, stored.json.limits[0].max], [input.name, 7])
    const [entry] = (await server.manage('GET', '/audit?operation=policies.create')).json.items
    entries.push({
      surface: entry.surface,
      rest: [entry.action, entry.resource.slug, entry.outcome, entry.reason],
    })
  }
  assert.deepEqual(entries, [
    { surface: 'management_api', rest: ['CREATE', 'by-curl', 'ok', 'shown as curl'] },
    { surface: 'cli', rest: ['CREATE', 'by-cli', 'ok', 'shown as cli'] },
    { surface: 'management_mcp', rest: ['CREATE', 'by-mcp', 'ok', 'shown as mcp'] },
  ])
})

test('each form of a read with filters answers the same items', async () => {
  for (const { form } of FORMS) {
    const answer = JSON.stringify(
      await RUNS[form](shown(form, 'policies.list', { text: "it's", order: 'slug' })),
    )
    assert.ok(answer.indexOf('by-cli') < answer.indexOf('by-curl'), `${form}: ${answer.slice(0, 500)}`)
    assert.ok(answer.includes('by-mcp'))
  }
})

test('each form changes the resource that its path names', async () => {
  for (const { form } of FORMS) {
    await RUNS[form](shown(form, 'policies.update', { id: `by-${form}`, active: false }))
    assert.equal((await server.manage('GET', `/policies/by-${form}`)).json.active, false, form)
  }
})
